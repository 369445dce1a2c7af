package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// setUpCgroups prepares the tree for the kubelet's cgroupfs driver, which
// makes /kubepods at its root. Version 1 needs no more than writable mounts.
// In version 2 a group either holds processes or hands controllers down.
func setUpCgroups(n *node) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil {
		return fmt.Errorf("%s: %w", cgroupRoot, err)
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		n.journal.say("cgroup", "version 1")
		return writableCgroup(filepath.Join(cgroupRoot, "memory"))
	}
	n.journal.say("cgroup", "version 2")
	return delegate(cgroupRoot, n.journal)
}

// writableCgroup proves now what would else be a riddle in the kubelet's log.
func writableCgroup(dir string) error {
	probe := filepath.Join(dir, "kcluster-probe")
	if err := os.Mkdir(probe, 0o755); err != nil && !os.IsExist(err) {
		return fmt.Errorf("the cgroups are not writable: %w", err)
	}
	return os.Remove(probe)
}

// delegate empties the root group into /init and passes all controllers on.
func delegate(root string, j *journal) error {
	leaf := filepath.Join(root, "init")
	if err := os.Mkdir(leaf, 0o755); err != nil && !os.IsExist(err) {
		return fmt.Errorf("the cgroups are not writable: %w", err)
	}
	// More than one round: what is moved may have forked meanwhile.
	for range 10 {
		data, err := os.ReadFile(filepath.Join(root, "cgroup.procs"))
		if err != nil {
			return err
		}
		pids := strings.Fields(string(data))
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			err := writeExisting(filepath.Join(leaf, "cgroup.procs"), pid)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("moving process %s to %s: %w", pid, leaf, err)
			}
		}
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return err
	}
	// One by one: together a single one that refuses would keep all away.
	for _, name := range strings.Fields(string(controllers)) {
		err := writeExisting(filepath.Join(root, "cgroup.subtree_control"), "+"+name)
		switch {
		case err == nil:
		case slices.Contains(neededControllers, name):
			return fmt.Errorf("enabling controller %s in %s: %w", name, root, err)
		default:
			j.warn("cgroup controller "+name+" stays off", err)
		}
	}
	return nil
}

// neededControllers are those a kubelet does not start without.
var neededControllers = []string{"cpu", "cpuset", "memory", "pids"}

// writeExisting writes to a kernel file, never making an ordinary one.
func writeExisting(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
