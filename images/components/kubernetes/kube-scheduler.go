package main

import (
	"k8s.io/component-base/cli"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func init() {
	commands["kube-scheduler"] = func() int { return cli.Run(scheduler.NewSchedulerCommand()) }
}
