package main

import (
	"fmt"
	"net/netip"
	"strings"
)

func setUpFirewall(n *node) error {
	all, err := interfaces()
	if err != nil {
		return err
	}
	up, err := uplinks(all, n.config.Address)
	if err != nil {
		return err
	}
	return n.reaper.run([]string{"nft", "-f", "-"}, firewall(n.config, up))
}

// What is not allowed is rejected, not dropped: the client gets "no route to
// host" at once instead of a timeout, so a test that asks for the outside or
// for a service nobody serves ends soon and says why.
const refuse = "reject with icmpx type admin-prohibited"

// untranslated is what becomes of a packet for a service nobody translated.
const untranslated = refuse

// firewall renders the node's own table; nothing of the engine's or of
// kube-proxy's is touched. The chains come after every destination was
// translated (priority -100), so an address of the service range that is
// still seen on its way out has no translation: kube-proxy is not there yet,
// or has no such service. It must not leave by the default route.
//
// A refused packet never gets into the connection table, so the client's next
// attempt is translated if kube-proxy came meanwhile.
//
// Replies are always let out, which keeps published ports working, from the
// host and from elsewhere.
func firewall(c *nodeConfig, uplinks []string) string {
	ways := quoted(uplinks)
	rules := []string{
		fmt.Sprintf("oifname != { %s } accept", ways),
		fmt.Sprintf("ip daddr %s %s", c.ServiceSubnet, untranslated),
	}
	if c.sixes() {
		rules = append(rules, fmt.Sprintf("ip6 daddr %s %s", c.ServiceSubnet6, untranslated))
	}
	if c.Egress == egressClosed {
		rules = append(rules,
			"ct state established,related accept",
			fmt.Sprintf("ip daddr { %s } accept", joined(distinct(c.ClusterSubnet, c.PodSubnet))),
		)
		if c.sixes() {
			rules = append(rules, fmt.Sprintf("ip6 daddr { %s } accept", joined(distinct(c.ClusterSubnet6, c.PodSubnet6))))
		}
		rules = append(rules,
			// What a detour brings back to this node still counts as on its way out.
			"ip daddr 127.0.0.0/8 accept",
			// Neighbour discovery and its kin stay on the link.
			"ip6 daddr { ::1, fe80::/10, ff02::/16 } accept",
			refuse,
		)
	}
	var b strings.Builder
	// Adding first makes the deletion work the first time too; all of it is
	// one transaction.
	b.WriteString("add table inet kcluster\ndelete table inet kcluster\ntable inet kcluster {\n")
	chain(&b, "egress", "", rules)
	for _, hook := range []string{"output", "forward"} {
		chain(&b, hook, "type filter hook "+hook+" priority 0; policy accept;", []string{"jump egress"})
	}
	four, six := knowsPods(c)
	translated := []string{
		fmt.Sprintf("ip saddr %s oifname { %s } ip daddr != { %s } masquerade", c.PodSubnet, ways, joined(distinct(four...))),
	}
	if c.sixes() {
		translated = append(translated,
			fmt.Sprintf("ip6 saddr %s oifname { %s } ip6 daddr != { %s } masquerade", c.PodSubnet6, ways, joined(distinct(six...))))
	}
	chain(&b, "postrouting", "type nat hook postrouting priority 100; policy accept;", translated)
	b.WriteString("}\n")
	return b.String()
}

// knowsPods is who can answer a pod by its own address: pods and nodes. The
// rest of the cluster's subnet, the gateway above all, has no route to pods
// and sees the node's address instead.
func knowsPods(c *nodeConfig) (four, six []netip.Prefix) {
	four, six = []netip.Prefix{c.PodSubnet}, []netip.Prefix{c.PodSubnet6}
	for _, n := range c.Nodes {
		// A load balancer has no pods and may have no way to others'.
		if !n.PodSubnet.IsValid() {
			continue
		}
		four = append(four, netip.PrefixFrom(n.Address, n.Address.BitLen()))
		six = append(six, netip.PrefixFrom(n.Address6, n.Address6.BitLen()))
	}
	return four, six
}

func chain(b *strings.Builder, name, head string, rules []string) {
	fmt.Fprintf(b, "\tchain %s {\n", name)
	if head != "" {
		fmt.Fprintf(b, "\t\t%s\n", head)
	}
	for _, r := range rules {
		fmt.Fprintf(b, "\t\t%s\n", r)
	}
	b.WriteString("\t}\n")
}

// distinct drops a subnet that another one holds: nft refuses a set with
// overlapping intervals.
func distinct(all ...netip.Prefix) []netip.Prefix {
	var kept []netip.Prefix
	for i, p := range all {
		held := false
		for k, q := range all {
			wider := q.Bits() < p.Bits() || (q.Bits() == p.Bits() && k < i)
			held = held || (k != i && wider && q.Overlaps(p))
		}
		if !held {
			kept = append(kept, p)
		}
	}
	return kept
}

func joined(all []netip.Prefix) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.Masked().String()
		if p.IsSingleIP() {
			texts[i] = p.Addr().String()
		}
	}
	return strings.Join(texts, ", ")
}

func quoted(names []string) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = `"` + n + `"`
	}
	return strings.Join(texts, ", ")
}
