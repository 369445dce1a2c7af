// Several of Kubernetes' commands in one binary; the name it is invoked by
// chooses which one. Each is called exactly as its own main package calls it,
// from a file of its name, and a binary is built of the files whose commands it
// is to hold. Nodes and images share one file, so they share one copy on disk
// and one page cache.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// What each runs; the result is the exit code.
var commands = map[string]func() int{}

func main() {
	name := filepath.Base(os.Args[0])
	run, known := commands[name]
	if !known {
		all := strings.Join(slices.Sorted(maps.Keys(commands)), ", ")
		fmt.Fprintf(os.Stderr, "%s: link this file under the name of what it holds: %s\n", name, all)
		os.Exit(2)
	}
	os.Exit(run())
}
