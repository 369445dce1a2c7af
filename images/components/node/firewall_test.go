package main

import (
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestFirewallGolden(t *testing.T) {
	cases := []struct {
		name    string
		config  *nodeConfig
		uplinks []string
	}{
		{"open", sample(t), []string{"eth0"}},
		{"closed", sample(t, `"open"`, `"closed"`), []string{"eth0", "eth1"}},
		{"nested", sample(t, `"open"`, `"closed"`, `"podSubnet": "10.244.0.0/16"`, `"podSubnet": "10.0.0.0/8"`), []string{"eth0"}},
		{"dual", sample(t, append([]string{`"open"`, `"closed"`}, sixth...)...), []string{"eth0"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := firewall(c.config, c.uplinks)
			golden := filepath.Join("testdata", c.name+".nft")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// nft itself is the judge of the goldens where it may be run.
func TestFirewallIsAcceptedByNft(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil || os.Getuid() != 0 {
		t.Skip("needs nft and root")
	}
	for _, name := range []string{"open", "closed", "nested", "dual"} {
		err := children(t).run([]string{nft, "--check", "-f", filepath.Join("testdata", name+".nft")}, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDistinctDropsHeldSubnets(t *testing.T) {
	p := netip.MustParsePrefix
	cases := []struct{ in, want []netip.Prefix }{
		{[]netip.Prefix{p("10.0.0.0/8"), p("10.1.0.0/16")}, []netip.Prefix{p("10.0.0.0/8")}},
		{[]netip.Prefix{p("10.1.0.0/16"), p("10.0.0.0/8")}, []netip.Prefix{p("10.0.0.0/8")}},
		{[]netip.Prefix{p("10.1.0.0/16"), p("10.1.0.0/16")}, []netip.Prefix{p("10.1.0.0/16")}},
		{[]netip.Prefix{p("10.1.0.0/16"), p("10.2.0.0/16")}, []netip.Prefix{p("10.1.0.0/16"), p("10.2.0.0/16")}},
	}
	for _, c := range cases {
		if got := distinct(c.in...); !slices.Equal(got, c.want) {
			t.Errorf("distinct(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}
