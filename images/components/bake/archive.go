package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// archived is one image of an archive, with the names that the archive gives it.
type archived struct {
	names  []string
	desc   ocispec.Descriptor
	config document
	fields configFields
	says   ocispec.Image
	blob   document
	layers []layer
}

// openArchive unpacks an OCI or Docker archive into a scratch content store and picks the images of one architecture.
func openArchive(ctx context.Context, path, scratch, arch string) ([]archived, error) {
	blobs, err := local.NewStore(scratch)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	index, err := archive.ImportIndex(ctx, blobs, file)
	if err != nil {
		return nil, fmt.Errorf("not an OCI or Docker archive: %w", err)
	}
	wanted := platforms.Only(ocispec.Platform{OS: "linux", Architecture: arch})
	var found []archived
	var others []string
	if err := eachManifest(ctx, blobs, index, func(desc ocispec.Descriptor) error {
		read, err := readArchived(ctx, blobs, desc)
		if err != nil {
			return err
		}
		if !wanted.Match(read.says.Platform) {
			others = append(others, platforms.Format(read.says.Platform))
			return nil
		}
		found = addNames(found, read)
		return nil
	}); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("holds no image for linux/%s, only %v", arch, others)
	}
	for number := range found {
		if err := found[number].scanLayers(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// eachManifest walks indexes, nested ones too. The name on an index is the name of what it holds.
func eachManifest(ctx context.Context, blobs content.Store, desc ocispec.Descriptor, visit func(ocispec.Descriptor) error) error {
	if images.IsManifestType(desc.MediaType) {
		return visit(desc)
	}
	if !images.IsIndexType(desc.MediaType) {
		return nil
	}
	var index ocispec.Index
	if _, err := readJSON(ctx, blobs, desc, &index); err != nil {
		return err
	}
	for _, child := range index.Manifests {
		if attested := child.Annotations["vnd.docker.reference.type"]; attested != "" {
			continue
		}
		for _, name := range []string{images.AnnotationImageName, ocispec.AnnotationRefName} {
			if child.Annotations[name] == "" && desc.Annotations[name] != "" {
				if child.Annotations == nil {
					child.Annotations = map[string]string{}
				}
				child.Annotations[name] = desc.Annotations[name]
			}
		}
		if err := eachManifest(ctx, blobs, child, visit); err != nil {
			return err
		}
	}
	return nil
}

func readArchived(ctx context.Context, blobs content.Store, desc ocispec.Descriptor) (archived, error) {
	var manifest ocispec.Manifest
	data, err := readJSON(ctx, blobs, desc, &manifest)
	if err != nil {
		return archived{}, err
	}
	// Written by digest alone below: annotations are about the name, which goes into the image records.
	read := archived{desc: desc, blob: document{data: data, desc: ocispec.Descriptor{
		MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size,
	}}}
	if name := or(desc.Annotations[images.AnnotationImageName], desc.Annotations[ocispec.AnnotationRefName]); name != "" {
		read.names = []string{name}
	}
	if data, err = readJSON(ctx, blobs, manifest.Config, &read.fields); err != nil {
		return archived{}, err
	}
	if err := json.Unmarshal(data, &read.says); err != nil {
		return archived{}, fmt.Errorf("config of %v: %w", read.names, err)
	}
	read.config = document{desc: manifest.Config, data: data}
	for _, blob := range manifest.Layers {
		read.layers = append(read.layers, layer{open: func() (io.ReadCloser, error) {
			reader, err := blobs.ReaderAt(ctx, blob)
			if err != nil {
				return nil, err
			}
			return both{Reader: content.NewReader(reader), closers: []io.Closer{reader}}, nil
		}})
	}
	return read, nil
}

// scanLayers checks that the layers are what the config says, so that the chain ids are right.
func (a *archived) scanLayers() error {
	if len(a.layers) != len(a.says.RootFS.DiffIDs) {
		return fmt.Errorf("image %v has %d layers, its config says %d", a.names, len(a.layers), len(a.says.RootFS.DiffIDs))
	}
	for number, unread := range a.layers {
		scanned, err := scan(unread.open)
		if err != nil {
			return fmt.Errorf("layer %d of image %v: %w", number, a.names, err)
		}
		if said := a.says.RootFS.DiffIDs[number]; said != scanned.diffID {
			return fmt.Errorf("layer %d of image %v is %s, its config says %s", number, a.names, scanned.diffID, said)
		}
		a.layers[number] = scanned
	}
	return nil
}

// addNames joins the names of one image that the index lists once for each.
func addNames(found []archived, another archived) []archived {
	for number := range found {
		if found[number].desc.Digest == another.desc.Digest {
			found[number].names = append(found[number].names, another.names...)
			return found
		}
	}
	return append(found, another)
}

func readJSON(ctx context.Context, blobs content.Store, desc ocispec.Descriptor, into any) ([]byte, error) {
	data, err := content.ReadBlob(ctx, blobs, ocispec.Descriptor{Digest: desc.Digest, Size: desc.Size})
	if err != nil {
		return nil, fmt.Errorf("blob %s of the archive cannot be read: %w", desc.Digest, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return nil, fmt.Errorf("blob %s of the archive is not understood: %w", desc.Digest, err)
	}
	return data, nil
}
