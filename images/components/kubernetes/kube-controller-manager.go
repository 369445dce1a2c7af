package main

import (
	_ "time/tzdata" // CronJob time zones

	"k8s.io/component-base/cli"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func init() {
	commands["kube-controller-manager"] = func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) }
}
