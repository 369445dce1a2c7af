package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const sampleConfig = `{
  "cluster": "a", "name": "a-control-plane", "role": "control-plane", "address": "10.89.7.10",
  "nodes": [
    {"name": "a-control-plane", "address": "10.89.7.10", "podSubnet": "10.244.0.0/24"},
    {"name": "a-worker-1", "address": "10.89.7.11", "podSubnet": "10.244.1.0/24"}
  ],
  "clusterSubnet": "10.89.7.0/24", "podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16",
  "gateway": "10.89.7.1", "egress": "open", "routes": true, "fromTheFuture": 1
}`

// sample is the contract's node, changed by pairs of old and new text.
func sample(t *testing.T, changes ...string) *nodeConfig {
	t.Helper()
	c, err := parseConfig([]byte(strings.NewReplacer(changes...).Replace(sampleConfig)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfigReadsTheContract(t *testing.T) {
	c := sample(t)
	if c.Name != "a-control-plane" || len(c.Nodes) != 2 || !c.Routes || c.Resolver != "127.0.0.11:53" {
		t.Errorf("read %+v", c)
	}
}

func TestConfigRefuses(t *testing.T) {
	cases := []struct{ old, new, want string }{
		{`"control-plane", "address"`, `"load-balancer", "address"`, "backends must name"},
		{`"egress": "open"`, `"egress": "maybe"`, `egress must be "open" or "closed", found "maybe"`},
		{`"role": "control-plane"`, `"role": ""`, "role must be"},
		{`"address": "10.89.7.10",`, `"address": "fd00::1",`, "address must be an IPv4 address"},
		{`"name": "a-worker-1"`, `"name": "a worker"`, `"a worker" is no host name`},
		{`"name": "a-control-plane", "role"`, `"name": "b", "role"`, "nodes does not hold this node"},
		{`"10.96.0.0/16"`, `"fd00::/64"`, "serviceSubnet must be an IPv4 subnet"},
		{`"10.96.0.0/16"`, `"10.96.0.0"`, "no '/'"},
	}
	for _, c := range cases {
		text := strings.Replace(sampleConfig, c.old, c.new, 1)
		if text == sampleConfig {
			t.Fatalf("%s is not in the sample", c.old)
		}
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.new, err, c.want)
		}
	}
}

// sixth makes the sample dual.
var sixth = []string{
	`"routes": true`, `"routes": true, "family": "dual", "address6": "fd89:6b63:7::10",
	"clusterSubnet6": "fd89:6b63:7::/64", "podSubnet6": "fd00:10:244::/56", "serviceSubnet6": "fd00:10:96::/112"`,
	`"podSubnet": "10.244.0.0/24"`, `"podSubnet": "10.244.0.0/24", "address6": "fd89:6b63:7::10", "podSubnet6": "fd00:10:244::/64"`,
	`"podSubnet": "10.244.1.0/24"`, `"podSubnet": "10.244.1.0/24", "address6": "fd89:6b63:7::11", "podSubnet6": "fd00:10:244:1::/64"`,
}

func TestConfigOfTheSixthVersionIsWholeOrRefused(t *testing.T) {
	c := sample(t, sixth...)
	if !c.sixes() || c.nameserver() != c.Address {
		t.Errorf("read %+v", c)
	}
	whole := strings.NewReplacer(sixth...).Replace(sampleConfig)
	alone := sample(t, append(sixth, "never", "")...)
	alone.Family = family6
	if alone.nameserver() != alone.Address6 {
		t.Errorf("pods cannot reach %s", alone.nameserver())
	}
	cases := []struct{ old, new, want string }{
		{`"family": "dual"`, `"family": "both"`, `family must be`},
		{`"family": "dual", "address6": "fd89:6b63:7::10",`, `"family": "dual",`, "address6 must be an IPv6 address"},
		{`"fd00:10:96::/112"`, `"10.97.0.0/16"`, "serviceSubnet6 must be an IPv6 subnet"},
		{`"address6": "fd89:6b63:7::11", `, ``, "a-worker-1 has no IPv6 address"},
	}
	for _, c := range cases {
		text := strings.Replace(whole, c.old, c.new, 1)
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.new, err, c.want)
		}
	}
}

func TestMissingConfigSaysWhatToDo(t *testing.T) {
	_, err := loadConfig(filepath.Join(t.TempDir(), "node.json"))
	if err == nil || !strings.Contains(err.Error(), "copy it into the container") {
		t.Errorf("got %v", err)
	}
}
