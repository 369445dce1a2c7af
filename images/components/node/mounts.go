package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mountPoint is what matters here of a line of mountinfo.
type mountPoint struct {
	path     string
	kind     string
	options  string // of the mount point
	readOnly bool   // the mount point or the file system behind it
}

// parseMounts reads /proc/self/mountinfo (proc_pid_mountinfo(5)).
func parseMounts(text string) []mountPoint {
	var mounts []mountPoint
	for line := range strings.Lines(text) {
		left, right, found := strings.Cut(strings.TrimSpace(line), " - ")
		before, after := strings.Fields(left), strings.Fields(right)
		if !found || len(before) < 6 || len(after) < 3 {
			continue
		}
		mounts = append(mounts, mountPoint{
			path:     unescapeMount(before[4]),
			kind:     after[0],
			options:  before[5],
			readOnly: hasOption(before[5], "ro") || hasOption(after[2], "ro"),
		})
	}
	return mounts
}

// unescapeMount undoes the kernel's octal escapes.
func unescapeMount(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

func hasOption(options, wanted string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == wanted {
			return true
		}
	}
	return false
}

// keptFlags are the options of a mount that a remount would drop unless told,
// and that the kernel may have locked.
func keptFlags(options string) uintptr {
	known := map[string]uintptr{
		"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
		"relatime": unix.MS_RELATIME, "noatime": unix.MS_NOATIME,
	}
	var flags uintptr
	for o := range strings.SplitSeq(options, ",") {
		flags |= known[o]
	}
	return flags
}

const mountNeeds = "start the container with CAP_SYS_ADMIN and without seccomp and AppArmor profiles"

// setUpMounts makes the node's tree shared, so that mounts of pods and of the
// kubelet reach each other, and lets it write where an engine that does not
// call the container privileged allows it only after a remount.
func setUpMounts(n *node) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("making / shared: %w; %s", err, mountNeeds)
	}
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, m := range parseMounts(string(info)) {
		if !m.readOnly {
			continue
		}
		flags := keptFlags(m.options) | unix.MS_REMOUNT
		switch {
		case m.path == "/sys" && m.kind == "sysfs":
			// The file system itself is read-only here, not only its mount.
		case m.path == "/sys/fs/cgroup" || strings.HasPrefix(m.path, "/sys/fs/cgroup/"), m.path == "/proc/sys":
			flags |= unix.MS_BIND
		default:
			continue
		}
		if err := unix.Mount("", m.path, "", flags, ""); err != nil {
			return fmt.Errorf("remounting %s writable: %w; %s", m.path, err, mountNeeds)
		}
	}
	return ensureKmsg(n.journal, "/dev/kmsg")
}

// ensureKmsg gives the kubelet its kernel log. Without one it does not start;
// with an empty one it only cannot report processes killed for memory.
func ensureKmsg(j *journal, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	_ = os.Remove(path) // a link that leads nowhere
	made := unix.Mknod(path, unix.S_IFCHR|0o640, int(unix.Mkdev(1, 11)))
	if made == nil {
		f, err := os.Open(path)
		if err == nil {
			return f.Close()
		}
		// The device is not allowed to this container.
		made = errors.Join(err, os.Remove(path))
	}
	j.warn(path+" is not to be had, linking it to /dev/null", made)
	return os.Symlink("/dev/null", path)
}
