package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// gatherer turns specs into images that are ready to be written.
type gatherer struct {
	options   options
	scratch   string
	epoch     time.Time
	files     layerFiles
	flattener *flattener
}

func newGatherer(chosen options, scratch string, epoch time.Time) *gatherer {
	return &gatherer{
		options: chosen, scratch: scratch, epoch: epoch, files: layerFiles{},
		flattener: &flattener{scratch: filepath.Join(scratch, "flat"), epoch: epoch, done: map[digest.Digest]layer{}},
	}
}

func (g *gatherer) gather(ctx context.Context, specs []spec) ([]image, error) {
	var all []image
	for _, each := range specs {
		for _, wanted := range each.Images {
			made, err := g.fromLayers(ctx, wanted)
			if err != nil {
				return nil, fmt.Errorf("image %v: %w", wanted.Refs, err)
			}
			all = append(all, made)
		}
		for _, wanted := range each.Archives {
			read, err := g.fromArchive(ctx, wanted)
			if err != nil {
				return nil, fmt.Errorf("archive %s: %w", wanted.Path, err)
			}
			all = append(all, read...)
		}
	}
	return all, nil
}

func (g *gatherer) fromLayers(ctx context.Context, wanted imageSpec) (image, error) {
	var layers []layer
	for _, file := range wanted.Layers {
		read, err := g.files.layer(file)
		if err != nil {
			return image{}, err
		}
		layers = append(layers, read)
	}
	fields, err := newConfig(wanted, g.epoch)
	if err != nil {
		return image{}, err
	}
	made := image{pinned: wanted.Pinned, platform: platformSpec{
		OS:           or(wanted.Platform.OS, "linux"),
		Architecture: or(wanted.Platform.Architecture, g.options.arch),
		Variant:      wanted.Platform.Variant,
	}}
	if made.refs, err = normalize(wanted.Refs); err != nil {
		return image{}, err
	}
	if made.layers, made.flattened, err = g.flattener.flatten(ctx, layers); err != nil {
		return image{}, err
	}
	claimed := made.platform.claim(or(wanted.LabelAs, g.options.labelAs))
	made.config, made.manifest, err = assemble(fields, claimed, made.layers)
	return made, err
}

func (g *gatherer) fromArchive(ctx context.Context, wanted archiveSpec) ([]image, error) {
	found, err := openArchive(ctx, wanted.Path, filepath.Join(g.scratch, "archives"), g.options.arch)
	if err != nil {
		return nil, err
	}
	if len(wanted.Refs) > 0 && len(found) != 1 {
		return nil, fmt.Errorf("refs can be given for an archive of one image only, this one has %d", len(found))
	}
	var all []image
	for _, each := range found {
		read := image{pinned: wanted.Pinned, platform: platformSpec{
			OS: each.says.OS, Architecture: each.says.Architecture, Variant: each.says.Variant,
		}}
		names := each.names
		if len(wanted.Refs) > 0 {
			names = wanted.Refs
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("image %s has no name: give refs", each.desc.Digest)
		}
		if read.refs, err = normalize(names); err != nil {
			return nil, err
		}
		if read.layers, read.flattened, err = g.flattener.flatten(ctx, each.layers); err != nil {
			return nil, err
		}
		claimed := read.platform.claim(or(wanted.LabelAs, g.options.labelAs))
		if claimed == read.platform && !read.flattened {
			// Untouched, it keeps the digests that the world knows it by.
			read.config, read.manifest = each.config, each.blob
		} else if read.config, read.manifest, err = assemble(each.fields, claimed, read.layers); err != nil {
			return nil, err
		}
		all = append(all, read)
	}
	return all, nil
}

// claimed is the platform that the written config names.
func (i image) claimed() (ocispec.Platform, error) {
	return platformOf(i.config.data)
}

// sourceDate is the time that everything written here claims to be from.
func sourceDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is not a number of seconds: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
