package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is ready to be written: its documents and its layers.
type image struct {
	refs      []reference.Named
	pinned    bool
	platform  platformSpec
	config    document
	manifest  document
	layers    []layer
	flattened bool
}

// document is a JSON blob and how others point to it.
type document struct {
	desc ocispec.Descriptor
	data []byte
}

func newDocument(mediaType string, data []byte) document {
	return document{
		desc: ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))},
		data: data,
	}
}

// configFields is an image config whose unknown fields survive.
type configFields map[string]json.RawMessage

func (fields configFields) set(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("image config field %s: %w", name, err)
	}
	fields[name] = data
	return nil
}

// newConfig is the config of an image made here.
func newConfig(wanted imageSpec, epoch time.Time) (configFields, error) {
	fields := configFields{}
	if err := fields.set("config", wanted.Config); err != nil {
		return nil, err
	}
	return fields, fields.set("created", epoch)
}

// assemble writes config and manifest anew, for the given platform and layers.
func assemble(fields configFields, claimed platformSpec, layers []layer) (config, manifest document, err error) {
	for name, value := range map[string]any{
		"os":           claimed.OS,
		"architecture": claimed.Architecture,
		"rootfs":       ocispec.RootFS{Type: "layers", DiffIDs: diffIDs(layers)},
	} {
		if err := fields.set(name, value); err != nil {
			return document{}, document{}, err
		}
	}
	delete(fields, "variant")
	if claimed.Variant != "" {
		if err := fields.set("variant", claimed.Variant); err != nil {
			return document{}, document{}, err
		}
	}
	// Its entries would have to match the layers one to one.
	delete(fields, "history")

	data, err := json.Marshal(fields)
	if err != nil {
		return document{}, document{}, err
	}
	config = newDocument(ocispec.MediaTypeImageConfig, data)

	described := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    config.desc,
	}
	for _, each := range layers {
		described.Layers = append(described.Layers, ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageLayer, Digest: each.diffID, Size: each.size,
		})
	}
	data, err = json.Marshal(described)
	if err != nil {
		return document{}, document{}, err
	}
	return config, newDocument(ocispec.MediaTypeImageManifest, data), nil
}

// claim is the platform that the config will name. A variant belongs to its own architecture only.
func (p platformSpec) claim(labelAs string) platformSpec {
	if labelAs == "" || labelAs == p.Architecture {
		return p
	}
	return platformSpec{OS: p.OS, Architecture: labelAs}
}
