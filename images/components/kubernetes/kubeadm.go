package main

import (
	"fmt"
	"os"

	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
)

func init() {
	commands["kubeadm"] = func() int {
		if err := kubeadm.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "error: %v\n", err)
			return 1
		}
		return 0
	}
}
