package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sysctl is one kernel setting of the node. Those that are not required are
// wanted: some kernels lack them, some engines keep them from being written.
type sysctl struct {
	path     string
	value    int
	atLeast  bool // a higher value is left alone, as it is the whole machine's
	required bool
}

var sysctls = []sysctl{
	{path: "net/ipv4/ip_forward", value: 1, required: true},
	{path: "net/ipv6/conf/all/forwarding", value: 1},
	// Answers between two pods on one bridge must pass the translation too.
	{path: "net/bridge/bridge-nf-call-iptables", value: 1},
	{path: "net/bridge/bridge-nf-call-ip6tables", value: 1},
	// Every pod's runtime and many programs watch files.
	{path: "fs/inotify/max_user_instances", value: 8192, atLeast: true},
	{path: "fs/inotify/max_user_watches", value: 524288, atLeast: true},
}

// sixSysctls let interfaces that come later, such as a bridge of pods, have addresses of the
// sixth version: an engine switches it off for all but its own.
var sixSysctls = []sysctl{
	{path: "net/ipv6/conf/all/disable_ipv6", value: 0, required: true},
	{path: "net/ipv6/conf/default/disable_ipv6", value: 0, required: true},
	{path: "net/ipv6/conf/all/forwarding", value: 1, required: true},
}

func setUpSysctls(n *node) error {
	all := sysctls
	if n.config.sixes() {
		all = slices.Concat(sysctls, sixSysctls)
	}
	return applySysctls("/proc/sys", all, n.journal)
}

func applySysctls(root string, all []sysctl, j *journal) error {
	for _, s := range all {
		err := s.apply(root)
		switch {
		case err == nil:
		case s.required:
			return err
		case os.IsNotExist(err):
			// This kernel does not have it, so nothing depends on it.
		default:
			j.warn("sysctl "+s.path+" is left as it is", err)
		}
	}
	return nil
}

func (s sysctl) apply(root string) error {
	path := filepath.Join(root, s.path)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	now, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if now == s.value || (s.atLeast && now > s.value) {
		return nil
	}
	return writeExisting(path, strconv.Itoa(s.value))
}
