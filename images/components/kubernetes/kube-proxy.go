package main

import (
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
)

func init() {
	commands["kube-proxy"] = func() int { return cli.Run(proxy.NewProxyCommand()) }
}
