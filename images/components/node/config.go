package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
)

const configPath = "/kcluster/node.json"

// nodeConfig is what the cluster tells a node about itself, written into the
// container before it starts.
type nodeConfig struct {
	Cluster       string       `json:"cluster"`
	Name          string       `json:"name"`
	Role          string       `json:"role"`
	Address       netip.Addr   `json:"address"`
	Nodes         []peer       `json:"nodes"`
	ClusterSubnet netip.Prefix `json:"clusterSubnet"`
	PodSubnet     netip.Prefix `json:"podSubnet"`
	ServiceSubnet netip.Prefix `json:"serviceSubnet"`
	Gateway       netip.Addr   `json:"gateway"`
	Egress        string       `json:"egress"`
	Routes        bool         `json:"routes"`
	// Resolver answers outside names; empty is the engine's embedded one.
	Resolver string `json:"resolver"`
	// KubeletArch is set when the kubelet is emulated.
	KubeletArch string `json:"kubeletArch"`
}

// peer is one node of the cluster, this one included.
type peer struct {
	Name      string       `json:"name"`
	Address   netip.Addr   `json:"address"`
	PodSubnet netip.Prefix `json:"podSubnet"`
}

const (
	egressOpen   = "open"
	egressClosed = "closed"
	roleControl  = "control-plane"
	roleWorker   = "worker"
)

// Names go into /etc/hosts, the resolver and the host name.
var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

func loadConfig(path string) (*nodeConfig, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("%s is missing: copy it into the container before starting it", path)
	}
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// parseConfig reads and checks; an unknown field is let through, so that a
// newer cluster can start an older image.
func parseConfig(data []byte) (*nodeConfig, error) {
	var c nodeConfig
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Resolver == "" {
		c.Resolver = "127.0.0.11:53"
	}
	return &c, nil
}

func (c *nodeConfig) check() error {
	if !c.Address.Is4() {
		return fmt.Errorf("address must be an IPv4 address, found %q", c.Address)
	}
	if c.Egress != egressOpen && c.Egress != egressClosed {
		return fmt.Errorf("egress must be %q or %q, found %q", egressOpen, egressClosed, c.Egress)
	}
	if c.Role != roleControl && c.Role != roleWorker {
		return fmt.Errorf("role must be %q or %q, found %q", roleControl, roleWorker, c.Role)
	}
	subnets := []struct {
		field string
		value netip.Prefix
	}{{"clusterSubnet", c.ClusterSubnet}, {"podSubnet", c.PodSubnet}, {"serviceSubnet", c.ServiceSubnet}}
	for _, s := range subnets {
		if !s.value.IsValid() || !s.value.Addr().Is4() {
			return fmt.Errorf("%s must be an IPv4 subnet", s.field)
		}
	}
	self := false
	for _, n := range c.Nodes {
		if !validName.MatchString(n.Name) {
			return fmt.Errorf("nodes: %q is no host name", n.Name)
		}
		if !n.Address.Is4() {
			return fmt.Errorf("nodes: %s has no IPv4 address", n.Name)
		}
		self = self || (n.Name == c.Name && n.Address == c.Address)
	}
	if !self {
		return fmt.Errorf("nodes does not hold this node (%s at %s)", c.Name, c.Address)
	}
	return nil
}
