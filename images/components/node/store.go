package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	bakedStore = "/kcluster/store"
	nodeStore  = "/var/lib/containerd"
)

// skeleton is what programs expect below /var, which is an empty volume.
var skeleton = []struct {
	path string
	mode fs.FileMode
}{
	{"cache", 0o755},
	{"lib/cni", 0o755},
	{"lib/containerd", 0o711},
	{"lib/etcd", 0o700},
	{"lib/kubelet", 0o755},
	{"lib/kube-proxy", 0o755},
	{"lib/misc", 0o755},
	{"log/containers", 0o755},
	{"log/kcluster", 0o755},
	{"log/pods", 0o755},
	{"spool", 0o755},
	{"tmp", 0o777 | fs.ModeSticky},
}

// links are Debian's own, and hidden by the volume.
var links = map[string]string{"run": "/run", "lock": "/run/lock"}

func setUpVar(*node) error { return makeSkeleton("/var") }

func makeSkeleton(root string) error {
	for _, dir := range skeleton {
		path := filepath.Join(root, dir.path)
		if err := os.MkdirAll(path, dir.mode.Perm()); err != nil {
			return err
		}
		// The umask took from what MkdirAll was given.
		if err := os.Chmod(path, dir.mode); err != nil {
			return err
		}
	}
	for name, target := range links {
		if err := symlinkOnce(target, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return nil
}

func setUpStore(n *node) error {
	done, err := linkStore(bakedStore, nodeStore)
	if err != nil {
		return err
	}
	n.journal.say("store", done)
	return nil
}

// The parts of containerd's root that are baked. Metadata is last: once it is
// there the store is complete, so a node that died half-way begins anew, and
// a restarted one keeps what it has.
const (
	snapshotsDir  = "io.containerd.snapshotter.v1.overlayfs/snapshots"
	snapshotsDB   = "io.containerd.snapshotter.v1.overlayfs/metadata.db"
	contentDir    = "io.containerd.content.v1.content/blobs"
	metadataDB    = "io.containerd.metadata.v1.bolt/meta.db"
	storeDirMode  = 0o700
	storeFileMode = 0o644
)

// linkStore gives containerd a store of its own without copying an image:
// databases and manifests, a few hundred kilobytes, are copied, and each
// unpacked layer is a link to the read-only one in the node image. A layer
// that is removed loses the link; new ones are made beside the links.
func linkStore(baked, own string) (string, error) {
	if _, err := os.Stat(filepath.Join(own, metadataDB)); err == nil {
		return "kept", nil
	}
	if _, err := os.Stat(filepath.Join(baked, metadataDB)); err != nil {
		if os.IsNotExist(err) {
			return "none baked", nil
		}
		return "", err
	}
	layers, err := linkEntries(filepath.Join(baked, snapshotsDir), filepath.Join(own, snapshotsDir))
	if err != nil {
		return "", err
	}
	blobs, err := copyTree(filepath.Join(baked, contentDir), filepath.Join(own, contentDir))
	if err != nil {
		return "", err
	}
	for _, db := range []string{snapshotsDB, metadataDB} {
		if err := copyFile(filepath.Join(baked, db), filepath.Join(own, db)); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d layers linked, %d blobs copied", layers, blobs), nil
}

func linkEntries(from, to string) (int, error) {
	entries, err := os.ReadDir(from)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(to, storeDirMode); err != nil {
		return 0, err
	}
	for _, e := range entries {
		if err := symlinkOnce(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return 0, err
		}
	}
	return len(entries), nil
}

// symlinkOnce accepts what is there already, as a restart finds it.
func symlinkOnce(target, path string) error {
	if err := os.Symlink(target, path); err != nil && !os.IsExist(err) {
		return err
	}
	return nil
}

func copyTree(from, to string) (int, error) {
	count := 0
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		count++
		return copyFile(path, filepath.Join(to, rel))
	})
	return count, err
}

// copyFile makes the whole file or none: it is renamed into place.
func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), storeDirMode); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	half := to + ".part"
	out, err := os.OpenFile(half, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, storeFileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copying %s to %s: %w", from, half, err)
	}
	return os.Rename(half, to)
}
