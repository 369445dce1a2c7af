package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func bakeStore(t *testing.T) (baked, own string) {
	dir := t.TempDir()
	baked, own = filepath.Join(dir, "baked"), filepath.Join(dir, "var", "lib", "containerd")
	write(t, filepath.Join(baked, metadataDB), "metadata")
	write(t, filepath.Join(baked, snapshotsDB), "snapshots")
	write(t, filepath.Join(baked, contentDir, "sha256", "abc"), "manifest")
	write(t, filepath.Join(baked, snapshotsDir, "1", "fs", "bin", "kubelet"), "program")
	write(t, filepath.Join(baked, snapshotsDir, "2", "fs", "etc", "passwd"), "root")
	return baked, own
}

func TestStoreIsLinkedNotCopied(t *testing.T) {
	baked, own := bakeStore(t)
	got, err := linkStore(baked, own)
	if err != nil || got != "2 layers linked, 1 blobs copied" {
		t.Fatalf("got %q, %v", got, err)
	}
	target, err := os.Readlink(filepath.Join(own, snapshotsDir, "1"))
	if err != nil || target != filepath.Join(baked, snapshotsDir, "1") {
		t.Errorf("layer 1 leads to %q, %v", target, err)
	}
	if read(t, filepath.Join(own, snapshotsDir, "1", "fs", "bin", "kubelet")) != "program" {
		t.Error("the layer cannot be read through its link")
	}
	for _, file := range []string{metadataDB, snapshotsDB, contentDir + "/sha256/abc"} {
		info, err := os.Lstat(filepath.Join(own, file))
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is no file of its own: %v", file, err)
		}
	}
	// What containerd removes or adds must not reach the baked store.
	if err := os.RemoveAll(filepath.Join(own, snapshotsDir, "1")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(own, snapshotsDir, "3", "fs", "new"), "")
	if read(t, filepath.Join(baked, snapshotsDir, "1", "fs", "bin", "kubelet")) != "program" {
		t.Error("removing a link removed the layer")
	}
	if _, err := os.Stat(filepath.Join(baked, snapshotsDir, "3")); err == nil {
		t.Error("a new layer landed in the baked store")
	}
}

func TestRestartKeepsTheStore(t *testing.T) {
	baked, own := bakeStore(t)
	if _, err := linkStore(baked, own); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(own, metadataDB), "lived in")
	got, err := linkStore(baked, own)
	if err != nil || got != "kept" || read(t, filepath.Join(own, metadataDB)) != "lived in" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHalfMadeStoreIsFinished(t *testing.T) {
	baked, own := bakeStore(t)
	write(t, filepath.Join(own, metadataDB+".part"), "met")
	if err := os.MkdirAll(filepath.Join(own, snapshotsDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(baked, snapshotsDir, "1"), filepath.Join(own, snapshotsDir, "1")); err != nil {
		t.Fatal(err)
	}
	if _, err := linkStore(baked, own); err != nil {
		t.Fatal(err)
	}
	if read(t, filepath.Join(own, metadataDB)) != "metadata" {
		t.Error("metadata is not the baked one")
	}
	if _, err := os.Stat(filepath.Join(own, metadataDB+".part")); !os.IsNotExist(err) {
		t.Error("the half-written file is still there")
	}
}

func TestImageWithoutAStore(t *testing.T) {
	dir := t.TempDir()
	if got, err := linkStore(filepath.Join(dir, "none"), filepath.Join(dir, "own")); err != nil || got != "none baked" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSkeleton(t *testing.T) {
	root := t.TempDir()
	for range 2 { // the second time is a restart
		if err := makeSkeleton(root); err != nil {
			t.Fatal(err)
		}
	}
	for path, mode := range map[string]fs.FileMode{
		"lib/etcd": fs.ModeDir | 0o700,
		"log/pods": fs.ModeDir | 0o755,
		"tmp":      fs.ModeDir | fs.ModeSticky | 0o777,
	} {
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", path, info, err, mode)
		}
	}
	if target, err := os.Readlink(filepath.Join(root, "run")); err != nil || target != "/run" {
		t.Errorf("run leads to %q, %v", target, err)
	}
}
