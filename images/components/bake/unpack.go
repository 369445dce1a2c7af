package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/image-spec/identity"
)

// unpack makes sure that each layer is a committed snapshot on top of those below it, and returns their chain ids.
func (s *store) unpack(ctx context.Context, layers []layer) ([]string, error) {
	var chain []string
	parent := ""
	for number := range layers {
		name := identity.ChainID(diffIDs(layers[:number+1])).String()
		_, err := s.snapshotter().Stat(ctx, name)
		switch {
		case errdefs.IsNotFound(err):
			if err := s.unpackOne(ctx, layers[number], name, parent); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, fmt.Errorf("snapshot %s cannot be looked up: %w", name, err)
		}
		chain = append(chain, name)
		parent = name
	}
	return chain, nil
}

func (s *store) unpackOne(ctx context.Context, change layer, name, parent string) error {
	key := "baking " + name
	mounts, err := s.snapshotter().Prepare(ctx, key, parent)
	if err != nil {
		return fmt.Errorf("snapshot %s cannot be prepared: %w", name, err)
	}
	folder, parents, err := folders(mounts)
	if err != nil {
		return err
	}
	if err := change.applyTo(ctx, folder, parents); err != nil {
		return err
	}
	if err := s.snapshotter().Commit(ctx, name, key); err != nil {
		return fmt.Errorf("snapshot %s cannot be committed: %w", name, err)
	}
	return nil
}

// folders finds what to write to, and what lies below it, in the mounts that would otherwise have to be made: a layer without
// deletions can be unpacked straight into its folder.
func folders(mounts []mount.Mount) (upper string, parents []string, err error) {
	if len(mounts) == 1 && mounts[0].Type == "bind" {
		return mounts[0].Source, nil, nil
	}
	if len(mounts) == 1 && mounts[0].Type == "overlay" {
		for _, option := range mounts[0].Options {
			if folder, ok := strings.CutPrefix(option, "upperdir="); ok {
				upper = folder
			}
			if lower, ok := strings.CutPrefix(option, "lowerdir="); ok {
				parents = strings.Split(lower, ":")
			}
		}
	}
	if !filepath.IsAbs(upper) {
		return "", nil, fmt.Errorf("snapshotter asks for mounts that bake does not know: %v", mounts)
	}
	return upper, parents, nil
}
