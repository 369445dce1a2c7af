package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// setUpRoutes leads to each other node's pods by that node's address.
func setUpRoutes(n *node) error {
	if !n.config.Routes {
		return nil
	}
	for _, r := range peerRoutes(n.config) {
		err := netlink.RouteReplace(&netlink.Route{
			Dst: &net.IPNet{IP: r.to.Masked().Addr().AsSlice(), Mask: net.CIDRMask(r.to.Bits(), r.to.Addr().BitLen())},
			Gw:  r.via.AsSlice(),
		})
		if err != nil {
			return fmt.Errorf("route to %s by %s: %w", r.to, r.via, err)
		}
	}
	return nil
}

type route struct {
	to  netip.Prefix
	via netip.Addr
}

func peerRoutes(c *nodeConfig) []route {
	var routes []route
	for _, p := range c.Nodes {
		if p.Name == c.Name {
			continue
		}
		if p.PodSubnet.IsValid() {
			routes = append(routes, route{p.PodSubnet, p.Address})
		}
		if p.PodSubnet6.IsValid() {
			routes = append(routes, route{p.PodSubnet6, p.Address6})
		}
	}
	return routes
}

// link is an interface and its addresses.
type link struct {
	name      string
	loopback  bool
	addresses []netip.Prefix
}

func interfaces() ([]link, error) {
	present, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []link
	for _, i := range present {
		l := link{name: i.Name, loopback: i.Flags&net.FlagLoopback != 0}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				l.addresses = append(l.addresses, p)
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// uplinks are the ways out of the node. All interfaces with an address count,
// not only the cluster's: this runs before any pod network exists, and a
// second network of the engine must not be a hole in the firewall.
func uplinks(all []link, own netip.Addr) ([]string, error) {
	var names, found []string
	holds := false
	for _, l := range all {
		if l.loopback || len(l.addresses) == 0 {
			continue
		}
		names = append(names, l.name)
		for _, p := range l.addresses {
			found = append(found, p.Addr().String())
			holds = holds || p.Addr() == own
		}
	}
	if !holds {
		return nil, fmt.Errorf("no interface has the node's address %s, found: %s", own, strings.Join(found, " "))
	}
	slices.Sort(names)
	return names, nil
}
