package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// bake writes a whole store or none: it is made beside its place and moved there when it is complete.
func bake(ctx context.Context, chosen options, specs []spec) (result report, err error) {
	ctx = inNamespace(ctx)
	epoch, err := sourceDate()
	if err != nil {
		return report{}, err
	}
	target, err := filepath.Abs(chosen.store)
	if err != nil {
		return report{}, err
	}
	if err := mustBeFree(target); err != nil {
		return report{}, err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return report{}, err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(target), ".bake-")
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	started := time.Now()
	all, err := newGatherer(chosen, scratch, epoch).gather(ctx, specs)
	if err != nil {
		return report{}, err
	}
	root := filepath.Join(scratch, "store")
	if err := layBases(root, chosen.bases); err != nil {
		return report{}, err
	}
	if result, err = fill(ctx, root, all); err != nil {
		return report{}, err
	}
	if err := finish(root, started, epoch); err != nil {
		return report{}, fmt.Errorf("store cannot be finished: %w", err)
	}
	return result, os.Rename(root, target)
}

func fill(ctx context.Context, root string, all []image) (result report, err error) {
	opened, err := openStore(ctx, root)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, opened.close()) }()
	for _, made := range all {
		chain, err := opened.unpack(ctx, made.layers)
		if err != nil {
			return report{}, fmt.Errorf("image %v: %w", made.refs, err)
		}
		if err := opened.record(ctx, made, chain[len(chain)-1]); err != nil {
			return report{}, fmt.Errorf("image %v: %w", made.refs, err)
		}
		described, err := opened.describe(ctx, made, chain)
		if err != nil {
			return report{}, err
		}
		result.Images = append(result.Images, described)
	}
	return result, nil
}

// finish takes away what only baking needed, and what would differ from one run to the next.
func finish(root string, started, epoch time.Time) error {
	for _, file := range []string{metaDB, snapshotDB} {
		if err := canonicalDB(filepath.Join(root, file), epoch); err != nil {
			return err
		}
	}
	if err := liftBases(root); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(root, contentDir, "ingest")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return clampTimes(root, started, epoch)
}

// mustBeFree refuses to write over a store: an old one's leftovers would become part of the image.
func mustBeFree(target string) error {
	entries, err := os.ReadDir(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("store %s is not empty: remove it first", target)
	}
	return nil
}
