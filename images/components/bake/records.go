package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Labels that containerd's garbage collector follows, and those that its CRI plugin marks its images with.
const (
	gcConfig   = "containerd.io/gc.ref.content.config"
	gcSnapshot = "containerd.io/gc.ref.snapshot." + snapshotterName
	managedKey = "io.cri-containerd.image"
	managed    = "managed"
	pinnedKey  = "io.cri-containerd.pinned"
	pinned     = "pinned"
)

// record writes the documents of an unpacked image and all names that it is to be found by.
//
// The manifest keeps the config and the config keeps the snapshots. Nothing refers to the layer archives, which are not there.
func (s *store) record(ctx context.Context, made image, chainID string) error {
	if err := s.write(ctx, made.config, map[string]string{gcSnapshot: chainID}); err != nil {
		return err
	}
	if err := s.write(ctx, made.manifest, map[string]string{gcConfig: made.config.desc.Digest.String()}); err != nil {
		return err
	}
	labels := map[string]string{managedKey: managed}
	if made.pinned {
		labels[pinnedKey] = pinned
	}
	for _, name := range names(made) {
		if err := s.name(ctx, images.Image{Name: name, Target: made.manifest.desc, Labels: labels}); err != nil {
			return fmt.Errorf("image record %s cannot be written: %w", name, err)
		}
	}
	return nil
}

// names are what the CRI plugin would have made of a pull: the id, the tag, and the digest.
func names(made image) []string {
	all := []string{made.config.desc.Digest.String()}
	for _, ref := range made.refs {
		if tagged, ok := ref.(reference.Tagged); ok {
			all = append(all, ref.Name()+":"+tagged.Tag())
		}
		if _, ok := ref.(reference.Digested); ok {
			// Whoever asks for this very digest is to get this image, even where relabelling or flattening gave it another.
			all = append(all, ref.String())
		}
		all = append(all, ref.Name()+"@"+made.manifest.desc.Digest.String())
	}
	return all
}

func (s *store) write(ctx context.Context, blob document, labels map[string]string) error {
	if err := content.WriteBlob(ctx, s.content(), "bake-"+blob.desc.Digest.String(), bytes.NewReader(blob.data), blob.desc,
		content.WithLabels(labels)); err != nil {
		return fmt.Errorf("blob %s cannot be written: %w", blob.desc.Digest, err)
	}
	// A blob that was there already has kept its labels.
	var fields []string
	for key := range labels {
		fields = append(fields, "labels."+key)
	}
	_, err := s.content().Update(ctx, content.Info{Digest: blob.desc.Digest, Labels: labels}, fields...)
	return err
}

func (s *store) name(ctx context.Context, record images.Image) error {
	_, err := s.images().Create(ctx, record)
	if errdefs.IsAlreadyExists(err) {
		_, err = s.images().Update(ctx, record)
	}
	return err
}

func platformOf(config []byte) (ocispec.Platform, error) {
	var said ocispec.Image
	if err := json.Unmarshal(config, &said); err != nil {
		return ocispec.Platform{}, fmt.Errorf("image config is not understood: %w", err)
	}
	return said.Platform, nil
}
