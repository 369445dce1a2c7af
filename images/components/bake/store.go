package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/storage"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	bolt "go.etcd.io/bbolt"
)

// Where containerd's plugins keep their state below its root.
const (
	metaDB       = "io.containerd.metadata.v1.bolt/meta.db"
	contentDir   = "io.containerd.content.v1.content"
	blobsDir     = contentDir + "/blobs/sha256"
	overlayDir   = "io.containerd.snapshotter.v1.overlayfs"
	snapshotDB   = overlayDir + "/metadata.db"
	snapshotsDir = overlayDir + "/snapshots"

	snapshotterName = "overlayfs"
	// namespace is where containerd's CRI plugin looks for images.
	namespace = "k8s.io"
)

// store is an open containerd root folder.
type store struct {
	root      string
	db        *bolt.DB
	snapshots *storage.MetaStore
	meta      *metadata.DB
}

func openStore(ctx context.Context, root string) (*store, error) {
	for _, folder := range []string{filepath.Dir(metaDB), contentDir, snapshotsDir} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o700); err != nil {
			return nil, err
		}
	}
	db, err := bolt.Open(filepath.Join(root, metaDB), 0o644, &bolt.Options{NoSync: true, NoGrowSync: true})
	if err != nil {
		return nil, fmt.Errorf("metadata of store %s cannot be opened: %w", root, err)
	}
	opened := &store{root: root, db: db}
	if err := opened.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s cannot be opened: %w", root, err), opened.close())
	}
	return opened, nil
}

func (s *store) start(ctx context.Context) (err error) {
	s.snapshots, err = storage.NewMetaStore(filepath.Join(s.root, snapshotDB), func(options *bolt.Options) error {
		options.NoSync, options.NoGrowSync = true, true
		return nil
	})
	if err != nil {
		return err
	}
	backend, err := overlay.NewSnapshotter(filepath.Join(s.root, overlayDir), overlay.WithMetaStore(s.snapshots))
	if err != nil {
		return err
	}
	blobs, err := local.NewStore(filepath.Join(s.root, contentDir))
	if err != nil {
		return err
	}
	s.meta = metadata.NewDB(s.db, blobs, map[string]snapshots.Snapshotter{
		snapshotterName: measured{Snapshotter: backend, meta: s.snapshots, folder: filepath.Join(s.root, snapshotsDir)},
	})
	return s.meta.Init(ctx)
}

func (s *store) close() error {
	var closed []error
	if s.snapshots != nil {
		closed = append(closed, s.snapshots.Close())
	}
	return errors.Join(append(closed, s.db.Close())...)
}

func (s *store) content() content.Store { return s.meta.ContentStore() }

func (s *store) images() images.Store { return metadata.NewImageStore(s.meta) }

func (s *store) snapshotter() snapshots.Snapshotter { return s.meta.Snapshotter(snapshotterName) }

func inNamespace(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, namespace)
}

// snapshotIDs maps each snapshot's name to the name of its folder.
func (s *store) snapshotIDs(ctx context.Context) (map[string]string, error) {
	ids := map[string]string{}
	err := s.snapshots.WithTransaction(ctx, false, func(ctx context.Context) error {
		keys, err := storage.IDMap(ctx)
		if err != nil {
			return err
		}
		for id, key := range keys {
			// namespace/number/name, as the metadata database writes it.
			parts := strings.SplitN(key, "/", 3)
			ids[parts[len(parts)-1]] = id
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("snapshots of %s cannot be listed: %w", s.root, err)
	}
	return ids, nil
}

// measured is the overlay snapshotter, but a snapshot's recorded size comes from its files alone: how many blocks the file system
// has given them so far depends on the moment.
type measured struct {
	snapshots.Snapshotter
	meta   *storage.MetaStore
	folder string
}

func (m measured) Commit(ctx context.Context, name, key string, opts ...snapshots.Opt) error {
	return m.meta.WithTransaction(ctx, true, func(ctx context.Context) error {
		id, _, _, err := storage.GetInfo(ctx, key)
		if err != nil {
			return err
		}
		usage, err := usageOf(filepath.Join(m.folder, id, "fs"))
		if err != nil {
			return err
		}
		_, err = storage.CommitActive(ctx, key, name, usage, opts...)
		return err
	})
}

func usageOf(folder string) (snapshots.Usage, error) {
	var usage snapshots.Usage
	seen := map[uint64]bool{}
	err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		inode := inodeOf(info)
		if seen[inode] {
			return nil
		}
		seen[inode] = true
		usage.Inodes++
		if info.Mode().IsRegular() {
			usage.Size += info.Size()
		}
		return nil
	})
	return usage, err
}
