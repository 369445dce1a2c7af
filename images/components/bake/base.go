package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// layBases makes root look like a node's store on top of the given ones: copies of the topmost one's small databases, and
// links to everything that is big. A node does the same when it first boots.
func layBases(root string, bases []string) error {
	for number, base := range bases {
		for _, folder := range []string{snapshotsDir, blobsDir} {
			if err := linkAll(filepath.Join(base, folder), filepath.Join(root, folder)); err != nil {
				return fmt.Errorf("base store %s cannot be linked: %w", base, err)
			}
		}
		if number < len(bases)-1 {
			continue
		}
		for _, file := range []string{metaDB, snapshotDB} {
			if err := copyFile(filepath.Join(base, file), filepath.Join(root, file)); err != nil {
				return fmt.Errorf("base store %s is not complete: %w", base, err)
			}
		}
	}
	return nil
}

func linkAll(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	from, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		// A store that only renames the images of its base has no snapshots of its own.
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// liftBases takes the links away again: what is left is what this store adds.
func liftBases(root string) error {
	for _, folder := range []string{snapshotsDir, blobsDir} {
		entries, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if entry.Type()&fs.ModeSymlink == 0 {
				continue
			}
			if err := os.Remove(filepath.Join(root, folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
