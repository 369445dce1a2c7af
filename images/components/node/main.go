// kcluster-node is the first process of a node and its helper from inside.
//
// As `init` it turns a bare container into a machine that kubeadm can use:
// mounts, cgroups, the baked containerd store, names, routes, a firewall, a
// resolver, then containerd and the kubelet. The other commands are run in a
// living node through the engine's exec.
package main

import (
	"fmt"
	"os"
)

// command is one word a caller may give; run returns what went wrong.
type command struct {
	name string
	help string
	run  func(args []string) error
}

func commands() []command {
	return []command{
		{"init", "be the first process of a node", runInit},
		{"wait", "containerd|apiserver|settled [--timeout 60s] [--address HOST]: block until it answers", runWait},
		{"restart", "containerd|kubelet: stop it and start it again", runRestart},
		{"watch", "[--timeout 60s] PATH: print what the API server tells, from when it does", runWatch},
		{"release", "let the kubelet of a node that came back, and was held, meet the API server", runRelease},
		{"help", "show this", runHelp},
	}
}

func main() {
	name, args := "help", []string{}
	if len(os.Args) > 1 {
		name, args = os.Args[1], os.Args[2:]
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		if err := c.run(args); err != nil {
			fmt.Fprintf(os.Stderr, "kcluster-node %s: %v\n", name, err)
			os.Exit(1)
		}
		return
	}
	fmt.Fprintf(os.Stderr, "kcluster-node: no command %q; see kcluster-node help\n", name)
	os.Exit(2)
}

func runHelp([]string) error {
	for _, c := range commands() {
		fmt.Printf("kcluster-node %-8s %s\n", c.name, c.help)
	}
	return nil
}
