package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/containerd/containerd/v2/core/content"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

// plain checks that nothing in a snapshot means "deleted" to overlayfs: such marks get lost, or take effect, one level further out.
func (c *checker) plain(folder, name string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Type()&fs.ModeCharDevice != 0 {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Rdev == 0 {
				c.problem("snapshot %s holds the whiteout %s", name, path)
			}
		}
		if !entry.IsDir() {
			return nil
		}
		if opaque, err := isOpaque(path); err != nil {
			return err
		} else if opaque {
			c.problem("snapshot %s holds the opaque folder %s", name, path)
		}
		return nil
	})
}

func isOpaque(path string) (bool, error) {
	var value [8]byte
	size, err := unix.Lgetxattr(path, "trusted.overlay.opaque", value[:])
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("attributes of %s cannot be read: %w", path, err)
	}
	return size > 0, nil
}

// readVerified reads a JSON blob and checks it against its digest: a content store trusts what is on disk.
func readVerified(ctx context.Context, blobs content.Store, desc ocispec.Descriptor, into any) error {
	data, err := content.ReadBlob(ctx, blobs, desc)
	if err != nil {
		return fmt.Errorf("blob %s cannot be read: %w", desc.Digest, err)
	}
	if got := desc.Digest.Algorithm().FromBytes(data); got != desc.Digest {
		return fmt.Errorf("blob %s is damaged: its digest is %s", desc.Digest, got)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("blob %s is not understood: %w", desc.Digest, err)
	}
	return nil
}
