package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
)

// flattener turns layers that delete something into one that does not.
//
// On disk overlayfs says "deleted" with a device node or an attribute; neither survives inside a layer of the node image, where the
// engine's own overlay would take them for deletions of its own.
type flattener struct {
	scratch string
	epoch   time.Time
	done    map[digest.Digest]layer
}

// flatten gives the layers back as they are where nothing is deleted.
func (f *flattener) flatten(ctx context.Context, layers []layer) ([]layer, bool, error) {
	if !slices.ContainsFunc(layers, func(l layer) bool { return l.whiteouts }) {
		return layers, false, nil
	}
	chain := identity.ChainID(diffIDs(layers))
	if flat, ok := f.done[chain]; ok {
		return []layer{flat}, true, nil
	}
	flat, err := f.merge(ctx, chain, layers)
	if err != nil {
		return nil, false, fmt.Errorf("layers with deletions cannot be flattened: %w", err)
	}
	f.done[chain] = flat
	return []layer{flat}, true, nil
}

// merge unpacks all layers over each other, deletions and all, and packs what is left.
func (f *flattener) merge(ctx context.Context, chain digest.Digest, layers []layer) (layer, error) {
	root := filepath.Join(f.scratch, chain.Encoded())
	if err := os.MkdirAll(root, 0o755); err != nil {
		return layer{}, err
	}
	defer os.RemoveAll(root)
	started := time.Now()
	for _, each := range layers {
		if err := each.applyTo(ctx, root, nil); err != nil {
			return layer{}, err
		}
	}
	if err := clampTimes(root, started, f.epoch); err != nil {
		return layer{}, err
	}
	packed := root + ".tar"
	if err := pack(ctx, root, packed); err != nil {
		return layer{}, err
	}
	return scan(func() (io.ReadCloser, error) { return os.Open(packed) })
}

func pack(ctx context.Context, root, packed string) (err error) {
	file, err := os.Create(packed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return archive.WriteDiff(ctx, file, "", root)
}

func diffIDs(layers []layer) []digest.Digest {
	var ids []digest.Digest
	for _, each := range layers {
		ids = append(ids, each.diffID)
	}
	return ids
}

// applyTo unpacks the layer into a folder; parents are the folders below it, nearest first.
func (l layer) applyTo(ctx context.Context, folder string, parents []string) error {
	stream, err := l.open()
	if err != nil {
		return err
	}
	defer stream.Close()
	read := &counted{digester: digest.Canonical.Digester(), reader: stream}
	if _, err := archive.Apply(ctx, folder, read, archive.WithParents(parents)); err != nil {
		return fmt.Errorf("layer %s cannot be unpacked: %w", l.diffID, err)
	}
	if _, err := io.Copy(io.Discard, read); err != nil {
		return fmt.Errorf("layer %s cannot be read to its end: %w", l.diffID, err)
	}
	if got := read.digester.Digest(); got != l.diffID {
		return fmt.Errorf("layer %s changed while it was read: now it is %s", l.diffID, got)
	}
	return nil
}
