package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/platforms"
)

// report is what bake prints: where each image is, so that others can point into it.
type report struct {
	Images []imageReport `json:"images"`
}

type imageReport struct {
	Refs      []string      `json:"refs"`
	ID        string        `json:"id"`
	Manifest  string        `json:"manifest"`
	ChainID   string        `json:"chainId"`
	Platform  string        `json:"platform"`
	LabelAs   string        `json:"labelledAs"`
	Pinned    bool          `json:"pinned"`
	Flattened bool          `json:"flattened"`
	Layers    []layerReport `json:"layers"`
	Bytes     int64         `json:"bytes"`
}

type layerReport struct {
	DiffID   string `json:"diffId"`
	ChainID  string `json:"chainId"`
	Snapshot string `json:"snapshot"`
	// Path is the layer's files, relative to the store.
	Path string `json:"path"`
	// FromBase: the files are not in this store but in one below it.
	FromBase bool  `json:"fromBase"`
	Bytes    int64 `json:"bytes"`
}

func (s *store) describe(ctx context.Context, made image, chain []string) (imageReport, error) {
	claimed, err := made.claimed()
	if err != nil {
		return imageReport{}, err
	}
	described := imageReport{
		ID: made.config.desc.Digest.String(), Manifest: made.manifest.desc.Digest.String(), ChainID: chain[len(chain)-1],
		Platform: made.platform.OS + "/" + made.platform.Architecture, LabelAs: platforms.Format(claimed),
		Pinned: made.pinned, Flattened: made.flattened,
	}
	for _, ref := range made.refs {
		described.Refs = append(described.Refs, ref.String())
	}
	ids, err := s.snapshotIDs(ctx)
	if err != nil {
		return imageReport{}, err
	}
	for number, name := range chain {
		usage, err := s.snapshotter().Usage(ctx, name)
		if err != nil {
			return imageReport{}, fmt.Errorf("size of snapshot %s is not known: %w", name, err)
		}
		folder := filepath.Join(snapshotsDir, ids[name])
		info, err := os.Lstat(filepath.Join(s.root, folder))
		if err != nil {
			return imageReport{}, fmt.Errorf("snapshot %s has no folder: %w", name, err)
		}
		described.Layers = append(described.Layers, layerReport{
			DiffID: made.layers[number].diffID.String(), ChainID: name, Snapshot: ids[name],
			Path: filepath.Join(folder, "fs"), FromBase: !info.IsDir(), Bytes: usage.Size,
		})
		described.Bytes += usage.Size
	}
	return described, nil
}
