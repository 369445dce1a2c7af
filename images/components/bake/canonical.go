package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// canonicalDB rewrites a database so that its bytes follow from its contents: fixed times, and one transaction for each key, since
// the pages of a bigger one are laid out in the order of a Go map.
func canonicalDB(path string, epoch time.Time) error {
	fresh := path + ".fresh"
	if err := rewriteDB(path, fresh, epoch); err != nil {
		return fmt.Errorf("database %s cannot be made canonical: %w", path, err)
	}
	return os.Rename(fresh, path)
}

func rewriteDB(path, fresh string, epoch time.Time) error {
	stamp, err := epoch.MarshalBinary()
	if err != nil {
		return err
	}
	source, err := bolt.Open(path, 0o600, &bolt.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer source.Close()
	if err := source.Update(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bolt.Bucket) error { return retime(bucket, stamp) })
	}); err != nil {
		return err
	}
	mode, err := os.Stat(path)
	if err != nil {
		return err
	}
	target, err := bolt.Open(fresh, mode.Mode().Perm(), &bolt.Options{
		NoSync: true, NoGrowSync: true, FreelistType: bolt.FreelistArrayType,
	})
	if err != nil {
		return err
	}
	defer target.Close()
	if err := bolt.Compact(target, source, 1); err != nil {
		return err
	}
	return target.Sync()
}

func retime(bucket *bolt.Bucket, stamp []byte) error {
	var children, stamps [][]byte
	if err := bucket.ForEach(func(key, value []byte) error {
		switch name := string(key); {
		case value == nil:
			children = append(children, []byte(name))
		case name == "createdat" || name == "updatedat":
			stamps = append(stamps, []byte(name))
		}
		return nil
	}); err != nil {
		return err
	}
	for _, key := range stamps {
		if err := bucket.Put(key, stamp); err != nil {
			return err
		}
	}
	for _, key := range children {
		if err := retime(bucket.Bucket(key), stamp); err != nil {
			return err
		}
	}
	return nil
}

// clampTimes gives everything that was touched since baking began the one fixed time.
func clampTimes(root string, since, epoch time.Time) error {
	stamp := unix.NsecToTimespec(epoch.UnixNano())
	// The kernel stamps files with a clock that lags behind by up to one tick.
	since = since.Add(-20 * time.Millisecond)
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.ModTime().Before(since) {
			return err
		}
		return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{stamp, stamp}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func inodeOf(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
