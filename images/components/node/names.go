package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// setUpNames tells the node who it is and who the others are. The engine
// binds files of its own over three of these, so they are written in place.
func setUpNames(n *node) error {
	c := n.config
	if err := unix.Sethostname([]byte(c.Name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	files := map[string]string{
		"/etc/hostname":    c.Name + "\n",
		"/etc/hosts":       hostsFile(c),
		"/etc/resolv.conf": "nameserver " + c.nameserver().String() + "\n",
		"/etc/machine-id":  machineID(c) + "\n",
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func hostsFile(c *nodeConfig) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, n := range c.Nodes {
		// Programs take the first that they find.
		if c.Family != family6 {
			fmt.Fprintf(&b, "%s\t%s\n", n.Address, n.Name)
		}
		if n.Address6.IsValid() {
			fmt.Fprintf(&b, "%s\t%s\n", n.Address6, n.Name)
		}
	}
	return b.String()
}

// machineID differs between the nodes of one image and stays over restarts.
func machineID(c *nodeConfig) string {
	sum := sha256.Sum256([]byte(c.Cluster + "\n" + c.Name + "\n" + c.Address.String()))
	return hex.EncodeToString(sum[:16])
}
