// flannel with the two backends that need nothing of a node but its kernel: VXLAN and host-gw.
//
// Upstream's own main cannot be built without cgo, and brings cloud backends along. This one takes the same steps with
// upstream's packages. It lays no packet filter rules: a node's first process has those that pods need.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
)

const annotations = "flannel.alpha.coreos.com"

func main() {
	netConf := flag.String("net-config-path", "/etc/kube-flannel/net-conf.json", "the network's configuration")
	iface := flag.String("iface", "", "the node's address, or the interface that has it")
	health := flag.String("healthz", "", "address that answers as soon as the network is there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *netConf, *iface, *health); err != nil {
		fmt.Fprintln(os.Stderr, "flannel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, netConf, iface, health string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Where the API server is and who we are comes from the pod.
	manager, err := kube.NewSubnetManager(ctx, "", "", annotations, netConf, false)
	if err != nil {
		return fmt.Errorf("the cluster's API cannot be used: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("the network's configuration in %s cannot be used: %w", netConf, err)
	}
	stack, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return err
	}
	external, err := ipmatch.LookupExtIface(iface, "", "", stack, ipmatch.PublicIPOpts{})
	if err != nil {
		return fmt.Errorf("no interface for %q: %w", iface, err)
	}
	kind, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("backend %s: %w", config.BackendType, err)
	}
	var running sync.WaitGroup
	network, err := kind.RegisterNetwork(ctx, &running, config)
	if err != nil {
		return fmt.Errorf("backend %s cannot be set up: %w", config.BackendType, err)
	}
	running.Go(func() { network.Run(ctx) })
	fmt.Printf("flannel: %s has %s by %s, MTU %d\n", config.BackendType, network.Lease().Subnet, external.Iface.Name, network.MTU())
	if health != "" {
		listener, err := net.Listen("tcp", health)
		if err != nil {
			return err
		}
		here := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, network.Lease().Subnet) }
		server := &http.Server{Handler: http.HandlerFunc(here), ReadHeaderTimeout: 5 * time.Second}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
	}
	// The node's own range needs no renewal, so this returns at once; the network runs until a signal comes.
	if err := manager.CompleteLease(ctx, network.Lease(), &running); err != nil && ctx.Err() == nil {
		cancel()
		running.Wait()
		return err
	}
	running.Wait()
	return nil
}
