package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/metadata"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// findings is what verify prints.
type findings struct {
	Images    []verified `json:"images"`
	Snapshots int        `json:"snapshots"`
	Problems  []string   `json:"problems"`
}

type verified struct {
	Name     string `json:"name"`
	ID       string `json:"id"`
	Platform string `json:"platform"`
	Pinned   bool   `json:"pinned"`
}

// verify looks at the store the way a node will: from a root of its own that links to it. The store itself is only read.
func verify(ctx context.Context, chosen options) (result findings, err error) {
	ctx = inNamespace(ctx)
	node, err := os.MkdirTemp("", "bake-verify-")
	if err != nil {
		return findings{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(node)) }()
	if err := layBases(node, append(slices.Clone(chosen.bases), chosen.store)); err != nil {
		return findings{}, err
	}
	opened, err := openStore(ctx, node)
	if err != nil {
		return findings{}, err
	}
	defer func() { err = errors.Join(err, opened.close()) }()

	check := checker{store: opened, arch: chosen.arch, used: map[string]bool{}, findings: findings{Images: []verified{}, Problems: []string{}}}
	if err := check.images(ctx); err != nil {
		return findings{}, err
	}
	if err := check.snapshots(ctx); err != nil {
		return findings{}, err
	}
	if err := check.leftovers(ctx); err != nil {
		return findings{}, err
	}
	return check.findings, nil
}

type checker struct {
	store *store
	arch  string
	// used: digests and snapshot names that some image needs.
	used     map[string]bool
	findings findings
}

func (c *checker) problem(format string, values ...any) {
	c.findings.Problems = append(c.findings.Problems, fmt.Sprintf(format, values...))
}

func (c *checker) images(ctx context.Context) error {
	all, err := c.store.images().List(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		c.problem("the store holds no image")
	}
	for _, record := range all {
		if err := c.image(ctx, record); err != nil {
			c.problem("image %s: %s", record.Name, err)
		}
	}
	return nil
}

func (c *checker) image(ctx context.Context, record images.Image) error {
	var manifest ocispec.Manifest
	if err := readVerified(ctx, c.store.content(), record.Target, &manifest); err != nil {
		return err
	}
	var config ocispec.Image
	if err := readVerified(ctx, c.store.content(), manifest.Config, &config); err != nil {
		return err
	}
	id := manifest.Config.Digest.String()
	if record.Labels[managedKey] != managed {
		return fmt.Errorf("is not labelled as the CRI plugin's")
	}
	if _, err := c.store.images().Get(ctx, id); err != nil {
		return fmt.Errorf("cannot be found by its id %s: %w", id, err)
	}
	if c.arch != "" {
		node := platforms.Only(ocispec.Platform{OS: "linux", Architecture: c.arch})
		if !node.Match(config.Platform) {
			return fmt.Errorf("is for %s, which a containerd of %s does not take", platforms.Format(config.Platform), c.arch)
		}
	}
	chainID := identity.ChainID(config.RootFS.DiffIDs).String()
	if _, err := c.store.snapshotter().Stat(ctx, chainID); err != nil {
		return fmt.Errorf("is not unpacked: %w", err)
	}
	if err := c.kept(ctx, record.Target.Digest, gcConfig, id); err != nil {
		return err
	}
	if err := c.kept(ctx, manifest.Config.Digest, gcSnapshot, chainID); err != nil {
		return err
	}
	for _, used := range []string{record.Target.Digest.String(), id} {
		c.used[used] = true
	}
	for number := range config.RootFS.DiffIDs {
		c.used[identity.ChainID(config.RootFS.DiffIDs[:number+1]).String()] = true
	}
	c.findings.Images = append(c.findings.Images, verified{
		Name: record.Name, ID: id, Platform: platforms.Format(config.Platform), Pinned: record.Labels[pinnedKey] == pinned,
	})
	return nil
}

// kept checks that the garbage collector sees a reference.
func (c *checker) kept(ctx context.Context, blob digest.Digest, label, want string) error {
	info, err := c.store.content().Info(ctx, blob)
	if err != nil {
		return err
	}
	if got := info.Labels[label]; got != want {
		return fmt.Errorf("blob %s does not keep %s: its label %s is %q", blob, want, label, got)
	}
	return nil
}

func (c *checker) snapshots(ctx context.Context) error {
	ids, err := c.store.snapshotIDs(ctx)
	if err != nil {
		return err
	}
	return c.store.snapshotter().Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		c.findings.Snapshots++
		if info.Kind != snapshots.KindCommitted {
			c.problem("snapshot %s is not committed", info.Name)
		}
		if !c.used[info.Name] {
			c.problem("snapshot %s belongs to no image", info.Name)
		}
		folder, err := filepath.EvalSymlinks(filepath.Join(c.store.root, snapshotsDir, ids[info.Name], "fs"))
		if err != nil {
			c.problem("snapshot %s has no folder: %s", info.Name, err)
			return nil
		}
		return c.plain(folder, info.Name)
	})
}

// leftovers are what would make a node's store differ from one that pulled its images.
func (c *checker) leftovers(ctx context.Context) error {
	leases, err := metadata.NewLeaseManager(c.store.meta).List(ctx)
	if err != nil {
		return err
	}
	for _, lease := range leases {
		c.problem("lease %s is left", lease.ID)
	}
	if err := c.store.content().Walk(ctx, func(info content.Info) error {
		if !c.used[info.Digest.String()] {
			c.problem("blob %s belongs to no image", info.Digest)
		}
		return nil
	}); err != nil {
		return err
	}
	return c.strayFiles(ctx)
}

// strayFiles are those that no database knows.
func (c *checker) strayFiles(ctx context.Context) error {
	ids, err := c.store.snapshotIDs(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for name, id := range ids {
		if _, err := c.store.snapshotter().Stat(ctx, name); err == nil {
			known[id] = true
		}
	}
	if err := c.each(snapshotsDir, func(name string) bool { return known[name] }); err != nil {
		return err
	}
	return c.each(blobsDir, func(name string) bool { return c.used["sha256:"+name] })
}

func (c *checker) each(folder string, expected func(string) bool) error {
	entries, err := os.ReadDir(filepath.Join(c.store.root, folder))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !expected(entry.Name()) {
			c.problem("%s is used by no image", filepath.Join(folder, entry.Name()))
		}
	}
	return nil
}
