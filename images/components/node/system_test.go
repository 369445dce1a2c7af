package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMounts(t *testing.T) {
	text := `76 72 0:45 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
78 77 0:29 / /sys/fs/cgroup/cpu ro,nosuid,nodev,noexec,relatime master:11 - cgroup cgroup rw,cpu
80 72 0:46 / /with\040space rw shared:1 master:2 - ext4 /dev/vda rw,errors=remount-ro
garbage
`
	got := parseMounts(text)
	want := []mountPoint{
		{"/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime", true},
		{"/sys/fs/cgroup/cpu", "cgroup", "ro,nosuid,nodev,noexec,relatime", true},
		{"/with space", "ext4", "rw", false},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_RELATIME)
	if keptFlags(got[0].options) != flags {
		t.Errorf("flags %x, want %x", keptFlags(got[0].options), flags)
	}
}

func TestKmsgIsThereOrStandsIn(t *testing.T) {
	s := &story{}
	dir := t.TempDir()
	there := filepath.Join(dir, "there")
	write(t, there, "log")
	if err := ensureKmsg(&journal{out: s}, there); err != nil || read(t, there) != "log" {
		t.Errorf("an existing one was touched: %v", err)
	}
	missing := filepath.Join(dir, "missing")
	if err := ensureKmsg(&journal{out: s}, missing); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(missing)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	// Whether a device can be made depends on who runs this; a stand-in tells.
	if _, err := os.Readlink(missing); err == nil && s.count(t, "warning") != 1 {
		t.Error("a stand-in without a warning")
	}
}

func TestDelegateMovesProcessesAndControllers(t *testing.T) {
	s, root := &story{}, t.TempDir()
	write(t, filepath.Join(root, "cgroup.procs"), "")
	write(t, filepath.Join(root, "cgroup.controllers"), "cpuset cpu memory\n")
	write(t, filepath.Join(root, "cgroup.subtree_control"), "")
	if err := delegate(root, &journal{out: s}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(root, "cgroup.subtree_control")); got != "+memory" /* the kernel adds up, a file keeps the last */ {
		t.Errorf("enabled %q", got)
	}
	if events := s.events(t); len(events) != 0 {
		t.Errorf("events %v", events)
	}
	write(t, filepath.Join(root, "init", "cgroup.procs"), "")
	write(t, filepath.Join(root, "cgroup.procs"), "1\n")
	if err := delegate(root, &journal{out: s}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(root, "init", "cgroup.procs")); got != "1" {
		t.Errorf("moved %q", got)
	}
}

func TestSysctls(t *testing.T) {
	root := t.TempDir()
	for name, now := range map[string]string{"zero": "0\n", "low": "128\n", "high": "9999\n", "text": "x y\n"} {
		write(t, filepath.Join(root, name), now)
	}
	s := &story{}
	err := applySysctls(root, []sysctl{
		{path: "zero", value: 1, required: true},
		{path: "low", value: 512, atLeast: true},
		{path: "high", value: 512, atLeast: true},
		{path: "absent", value: 1},
		{path: "text", value: 1},
	}, &journal{out: s})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"zero": "1", "low": "512", "high": "9999\n"} {
		if got := read(t, filepath.Join(root, name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "absent")); err == nil {
		t.Error("made a setting the kernel lacks")
	}
	if events := s.events(t); len(events) != 1 || !strings.Contains(events[0].Detail, "text") {
		t.Errorf("events %v", events)
	}
	if err := applySysctls(root, []sysctl{{path: "absent", value: 1, required: true}}, &journal{out: s}); err == nil {
		t.Error("a required setting is missing and nobody minds")
	}
}

func TestHostsFile(t *testing.T) {
	want := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"10.89.7.10\ta-control-plane\n10.89.7.11\ta-worker-1\n"
	if got := hostsFile(sample(t)); got != want {
		t.Errorf("got %q", got)
	}
}

func TestMachineID(t *testing.T) {
	one, again, other := machineID(sample(t)), machineID(sample(t)), machineID(sample(t, `"cluster": "a"`, `"cluster": "b"`))
	if one != again || one == other || len(one) != 32 {
		t.Errorf("%s, %s, %s", one, again, other)
	}
}

func TestPeerRoutes(t *testing.T) {
	got := peerRoutes(sample(t))
	want := []route{{netip.MustParsePrefix("10.244.1.0/24"), netip.MustParseAddr("10.89.7.11")}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want = append(want, route{netip.MustParsePrefix("fd00:10:244:1::/64"), netip.MustParseAddr("fd89:6b63:7::11")})
	if got := peerRoutes(sample(t, sixth...)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUplinks(t *testing.T) {
	p := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	all := []link{
		{"lo", true, p("127.0.0.1/8")},
		{"tunl0", false, nil},
		{"eth1", false, p("192.168.9.2/24")},
		{"eth0", false, p("10.89.7.10/24")},
	}
	got, err := uplinks(all, netip.MustParseAddr("10.89.7.10"))
	if err != nil || !slices.Equal(got, []string{"eth0", "eth1"}) {
		t.Errorf("got %v, %v", got, err)
	}
	_, err = uplinks(all, netip.MustParseAddr("10.89.7.99"))
	if err == nil || !strings.Contains(err.Error(), "found: 192.168.9.2 10.89.7.10") {
		t.Errorf("got %v", err)
	}
}

func TestTopologyIsCompleted(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "cpu0")
	write(t, filepath.Join(from, "core_id"), "3\n")
	if err := completeTopology(from, to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"core_id": "3\n", "book_id": "0\n", "drawer_id": "0\n"} {
		if got := read(t, filepath.Join(to, name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestLastLines(t *testing.T) {
	if got := lastLines("a\nb\nc\n", 2); got != "b | c" {
		t.Errorf("got %q", got)
	}
	if got := lastLines("", 2); got != "" {
		t.Errorf("got %q", got)
	}
}
