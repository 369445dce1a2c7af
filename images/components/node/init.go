package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// node is what the steps share.
type node struct {
	config  *nodeConfig
	journal *journal
	reaper  *reaper
	// comeback is nil unless this node comes back from a snapshot.
	comeback *comeback
}

// step is one piece of making the node. Its error ends the node: half a
// firewall or half a store must never be used.
type step struct {
	name string
	run  func(*node) error
}

// ground must stand before containerd can start, in this order.
var ground = []step{
	{"mounts", setUpMounts},
	{"cgroup", setUpCgroups},
	{"var", setUpVar},
	{"store", setUpStore},
}

// surroundings run while containerd starts; the kubelet waits for them, as
// nothing that runs in a pod may come before the firewall.
var surroundings = []step{
	{"sysctl", setUpSysctls},
	{"names", setUpNames},
	{"routes", setUpRoutes},
	{"firewall", setUpFirewall},
	{"comeback", setUpComeback},
	{"dns", startDNS},
	{"registry", startRegistry},
	{"topology", setUpTopology},
}

// balancing is all that a load balancer needs.
var balancing = []step{
	{"mounts", setUpMounts},
	{"var", setUpVar},
	{"sysctl", setUpSysctls},
	{"names", setUpNames},
	{"routes", setUpRoutes},
	{"firewall", setUpFirewall},
	{"dns", startDNS},
	{"balancer", startBalancer},
}

// runInit is the whole life of a node.
func runInit([]string) error {
	began := time.Now()
	if os.Getpid() != 1 {
		return fmt.Errorf("init must be the first process of a container, this is process %d", os.Getpid())
	}
	if os.Getenv("PATH") == "" {
		_ = os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	// A signal with a handler is back to its default in children; an ignored
	// one would stay ignored there. The engine may close our output.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	n := &node{journal: &journal{out: os.Stdout}, reaper: newReaper()}
	go n.reaper.loop()
	n.journal.say("start", "kcluster-node")

	failed := make(chan error, 1)
	services := newServices(n)
	go func() {
		if err := n.bringUp(services); err != nil {
			failed <- err
			return
		}
		n.journal.write(event{Event: "up", Detail: n.config.Name, Millis: millis(time.Since(began))})
	}()

	select {
	case err := <-failed:
		n.journal.write(event{Event: "failed", Error: err.Error()})
		n.shutDown(services)
		os.Exit(1)
	case sig := <-stop:
		n.journal.say("stopping", sig.String())
		n.shutDown(services)
		n.journal.say("stopped", "")
		os.Exit(0)
	}
	return nil
}

// bringUp runs every step and starts the services; a restarted container
// goes the same way.
func (n *node) bringUp(s *services) error {
	config, err := loadConfig(configPath)
	if err != nil {
		return err
	}
	n.config = config
	if config.Role == roleBalancer {
		return n.runSteps(balancing)
	}
	if n.comeback, err = loadComeback(comebackPath); err != nil {
		return err
	}
	if err := n.runSteps(ground); err != nil {
		return err
	}
	if err := s.serveControl(controlSocket); err != nil {
		return err
	}
	s.start(containerdService())
	go n.announceContainerd()
	if err := n.runSteps(surroundings); err != nil {
		return err
	}
	s.start(kubeletService(n))
	if n.comeback != nil {
		go n.comeBack(s)
	}
	return nil
}

// announceContainerd notes when containerd serves the kubelet, for the story.
func (n *node) announceContainerd() {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := until(ctx, probeInterval, criReady); err != nil {
		n.journal.warn("containerd does not answer, see "+logDir+"containerd.log", err)
		return
	}
	n.journal.write(event{Event: "ready", Detail: "containerd", Millis: millis(time.Since(began))})
}

func (n *node) runSteps(steps []step) error {
	for _, st := range steps {
		began := time.Now()
		if err := st.run(n); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
		n.journal.write(event{Event: "step", Detail: st.name, Millis: millis(time.Since(began))})
	}
	return nil
}

const (
	// Together they stay below the two seconds a stop may take.
	serviceGrace   = 900 * time.Millisecond
	containerGrace = 500 * time.Millisecond
)

// shutDown stops the kubelet first, so that nothing is started again, then
// containerd, then asks what still runs and at last kills it. Nothing is
// unmounted: the mount namespace ends with this process.
func (n *node) shutDown(s *services) {
	s.stop("kubelet", serviceGrace)
	s.stop("containerd", serviceGrace/3)
	_ = unix.Kill(-1, unix.SIGTERM)
	select {
	case <-n.reaper.childless():
	case <-time.After(containerGrace):
	}
	_ = unix.Kill(-1, unix.SIGKILL)
}
