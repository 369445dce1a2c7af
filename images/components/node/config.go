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
	// Family is which addresses Kubernetes uses; empty is ipv4. The fields that end in 6 are
	// set unless it is.
	Family         string       `json:"family"`
	Address6       netip.Addr   `json:"address6"`
	ClusterSubnet6 netip.Prefix `json:"clusterSubnet6"`
	PodSubnet6     netip.Prefix `json:"podSubnet6"`
	ServiceSubnet6 netip.Prefix `json:"serviceSubnet6"`
	// Backends are the API servers that a load balancer leads to.
	Backends []netip.AddrPort `json:"backends"`
}

// peer is one node of the cluster, this one included.
type peer struct {
	Name      string       `json:"name"`
	Address   netip.Addr   `json:"address"`
	PodSubnet netip.Prefix `json:"podSubnet"`

	Address6   netip.Addr   `json:"address6"`
	PodSubnet6 netip.Prefix `json:"podSubnet6"`
}

// sixes says whether the node has addresses of the sixth version too.
func (c *nodeConfig) sixes() bool { return c.Address6.IsValid() }

// nameserver is the address of this node that every pod can reach: those of a cluster of the
// sixth version alone have no other.
func (c *nodeConfig) nameserver() netip.Addr {
	if c.Family == family6 {
		return c.Address6
	}
	return c.Address
}

const (
	egressOpen   = "open"
	egressClosed = "closed"
	roleControl  = "control-plane"
	roleWorker   = "worker"
	roleBalancer = "load-balancer"
	family4      = "ipv4"
	familyDual   = "dual"
	family6      = "ipv6"
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
	if c.Role != roleControl && c.Role != roleWorker && c.Role != roleBalancer {
		return fmt.Errorf("role must be %q, %q or %q, found %q", roleControl, roleWorker, roleBalancer, c.Role)
	}
	if c.Role == roleBalancer && len(c.Backends) == 0 {
		return fmt.Errorf("backends must name the API servers behind a load balancer")
	}
	if err := c.checkSixes(); err != nil {
		return err
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

// checkSixes wants all of the sixth version or nothing of it.
func (c *nodeConfig) checkSixes() error {
	switch c.Family {
	case "", family4:
		return nil
	case familyDual, family6:
	default:
		return fmt.Errorf("family must be %q, %q or %q, found %q", family4, familyDual, family6, c.Family)
	}
	if !c.Address6.Is6() {
		return fmt.Errorf("address6 must be an IPv6 address, found %q", c.Address6)
	}
	subnets := []struct {
		field string
		value netip.Prefix
	}{{"clusterSubnet6", c.ClusterSubnet6}, {"podSubnet6", c.PodSubnet6}, {"serviceSubnet6", c.ServiceSubnet6}}
	for _, s := range subnets {
		if !s.value.IsValid() || !s.value.Addr().Is6() {
			return fmt.Errorf("%s must be an IPv6 subnet", s.field)
		}
	}
	for _, n := range c.Nodes {
		if !n.Address6.Is6() {
			return fmt.Errorf("nodes: %s has no IPv6 address", n.Name)
		}
	}
	return nil
}
