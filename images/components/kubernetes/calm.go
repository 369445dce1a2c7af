package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"
)

// A Go program lets its heap grow to twice what lives in it, and keeps what a burst of work made it take. For a server
// that is right; of a test cluster that idles beside others it is half its memory. So a daemon that has had little to do
// for a while collects more often and gives back the rest, and once it has work again it is as upstream made it.
const (
	lookEvery = 2 * time.Second
	// More bytes allocated between two looks than this is work.
	busyBytes = 8 << 20
	// So many quiet looks make a quiet while.
	quietLooks  = 5
	calmPercent = 25
	busyPercent = 100 // the runtime's own default
)

var daemons = []string{"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet"}

// Whoever sets the collector by the environment knows better.
func init() {
	if slices.Contains(daemons, filepath.Base(os.Args[0])) && os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		c := calmer{percent: func(p int) { debug.SetGCPercent(p) }, release: debug.FreeOSMemory}
		go c.run()
	}
}

type calmer struct {
	percent func(int)
	release func()
	seen    uint64
	quiet   int
}

func (c *calmer) run() {
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	for range time.Tick(lookEvery) {
		metrics.Read(allocated)
		if allocated[0].Value.Kind() != metrics.KindUint64 {
			return
		}
		c.look(allocated[0].Value.Uint64())
	}
}

// look takes the bytes allocated since the start.
func (c *calmer) look(total uint64) {
	grown := total - c.seen
	c.seen = total
	if grown > busyBytes {
		if c.quiet >= quietLooks {
			c.percent(busyPercent)
		}
		c.quiet = 0
		return
	}
	c.quiet++
	if c.quiet == quietLooks {
		c.percent(calmPercent)
		c.release()
	}
}
