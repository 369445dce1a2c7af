package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/distribution/reference"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// spec is one description file: images made here from layers, and archives that hold finished images.
type spec struct {
	Images   []imageSpec   `json:"images"`
	Archives []archiveSpec `json:"archives"`
}

type imageSpec struct {
	Refs     []string     `json:"refs"`
	Platform platformSpec `json:"platform"`
	// LabelAs is the architecture that the config claims, so that a containerd of that architecture takes the image.
	LabelAs string              `json:"labelAs"`
	Pinned  bool                `json:"pinned"`
	Config  ocispec.ImageConfig `json:"config"`
	Layers  []string            `json:"layers"`
}

type platformSpec struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// archiveSpec is written as a path alone, or as an object where something is to differ from what the archive says.
type archiveSpec struct {
	Path    string   `json:"path"`
	Refs    []string `json:"refs"`
	LabelAs string   `json:"labelAs"`
	Pinned  bool     `json:"pinned"`
}

func (a *archiveSpec) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(`"`)) {
		return json.Unmarshal(data, &a.Path)
	}
	type plain archiveSpec
	return strict(data, (*plain)(a))
}

// strict refuses unknown fields: a misspelt `labelAs` must not pass for an absent one.
func strict(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func loadSpecs(paths []string) ([]spec, error) {
	var specs []spec
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("spec cannot be read: %w", err)
		}
		var loaded spec
		if err := strict(data, &loaded); err != nil {
			return nil, fmt.Errorf("spec %s is not understood: %w", path, err)
		}
		if err := loaded.check(); err != nil {
			return nil, fmt.Errorf("spec %s: %w", path, err)
		}
		specs = append(specs, loaded)
	}
	return specs, nil
}

func (s spec) check() error {
	if len(s.Images)+len(s.Archives) == 0 {
		return fmt.Errorf("names neither images nor archives")
	}
	for number, image := range s.Images {
		if len(image.Refs) == 0 || len(image.Layers) == 0 {
			return fmt.Errorf("image %d (%v) needs at least one of refs and one of layers", number, image.Refs)
		}
		for _, layer := range image.Layers {
			if !filepath.IsAbs(layer) {
				return fmt.Errorf("image %v: layer path %q is not absolute", image.Refs, layer)
			}
		}
	}
	for _, archive := range s.Archives {
		if !filepath.IsAbs(archive.Path) {
			return fmt.Errorf("archive path %q is not absolute", archive.Path)
		}
	}
	return nil
}

// normalize writes references the way the kubelet's requests will be looked up: with registry host and tag.
func normalize(refs []string) ([]reference.Named, error) {
	var named []reference.Named
	for _, ref := range refs {
		parsed, err := reference.ParseDockerRef(ref)
		if err != nil {
			return nil, fmt.Errorf("image reference %q is not valid: %w", ref, err)
		}
		named = append(named, parsed)
	}
	return named, nil
}

// or is the first that is not empty.
func or(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
