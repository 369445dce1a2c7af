// One binary that is both containerd and ctr, chosen by the name it is called by.
//
// The two share nearly all their code, and a node image carries one copy of each architecture's plumbing. This main adds
// nothing to upstream's two: it calls the commands they call.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	"github.com/containerd/containerd/v2/cmd/containerd/command"
	"github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/urfave/cli/v2"
)

func main() {
	name := filepath.Base(os.Args[0])
	if err := applet(name).Run(os.Args); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, err)
		os.Exit(1)
	}
}

// applet is containerd for every name but ctr: a renamed or copied binary should still be the daemon.
func applet(name string) *cli.App {
	if name == "ctr" {
		return app.New()
	}
	return command.App()
}
