package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// missingIDs are files that only s390x machines have and that an s390x
// kubelet cannot count processors without.
var missingIDs = []string{"book_id", "drawer_id"}

// setUpTopology lets an emulated s390x kubelet see the topology it expects:
// each processor's folder is covered by a copy with the two files added.
func setUpTopology(n *node) error {
	if n.config.KubeletArch != "s390x" {
		return nil
	}
	dirs, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*/topology")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, missingIDs[0])); err == nil {
			continue
		}
		own := filepath.Join("/run/kcluster/topology", filepath.Base(filepath.Dir(dir)))
		if err := completeTopology(dir, own); err != nil {
			return err
		}
		if err := unix.Mount(own, dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering %s: %w", dir, err)
		}
	}
	return nil
}

// completeTopology copies the folder and adds what is missing.
func completeTopology(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			// Some of the kernel's files have nothing to say on some machines.
			if errors.Is(err, unix.EIO) || errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EINVAL) {
				continue
			}
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o644); err != nil {
			return err
		}
	}
	for _, name := range missingIDs {
		if err := os.WriteFile(filepath.Join(to, name), []byte("0\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}
