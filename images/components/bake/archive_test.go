package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ociArchive is an archive of one name for several architectures, its layers compressed.
func ociArchive(t *testing.T, ref string, layer string, archs ...string) (path string, manifests map[string]digest.Digest) {
	t.Helper()
	files := map[string][]byte{}
	blob := func(mediaType string, data []byte) ocispec.Descriptor {
		sum := digest.FromBytes(data)
		files["blobs/sha256/"+sum.Encoded()] = data
		return ocispec.Descriptor{MediaType: mediaType, Digest: sum, Size: int64(len(data))}
	}
	document := func(value any) []byte {
		data, err := json.Marshal(value)
		must(t, err)
		return data
	}
	plain := read(t, layer)
	var packed bytes.Buffer
	zipper := gzip.NewWriter(&packed)
	_, err := zipper.Write([]byte(plain))
	must(t, err)
	must(t, zipper.Close())

	inner := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	manifests = map[string]digest.Digest{}
	for _, arch := range archs {
		config := blob(ocispec.MediaTypeImageConfig, document(object{
			"architecture": arch, "os": "linux", "config": object{"Cmd": []string{"/a"}, "Healthcheck": object{"Test": []string{"NONE"}}},
			"rootfs": object{"type": "layers", "diff_ids": []string{digest.FromString(plain).String()}},
		}))
		desc := blob(ocispec.MediaTypeImageManifest, document(ocispec.Manifest{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config,
			Layers: []ocispec.Descriptor{blob(ocispec.MediaTypeImageLayerGzip, packed.Bytes())},
		}))
		manifests[arch] = desc.Digest
		desc.Platform = &ocispec.Platform{OS: "linux", Architecture: arch}
		inner.Manifests = append(inner.Manifests, desc)
	}
	outer := blob(ocispec.MediaTypeImageIndex, document(inner))
	outer.Annotations = map[string]string{"io.containerd.image.name": ref}
	files["index.json"] = document(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []ocispec.Descriptor{outer}})
	files["oci-layout"] = []byte(`{"imageLayoutVersion":"1.0.0"}`)

	return tarFile(t, files), manifests
}

func tarFile(t *testing.T, files map[string][]byte) string {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for name, data := range files {
		must(t, writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}))
		_, err := writer.Write(data)
		must(t, err)
	}
	must(t, writer.Close())
	path := filepath.Join(t.TempDir(), "archive.tar")
	must(t, os.WriteFile(path, out.Bytes(), 0o600))
	return path
}

func TestAnArchivesImageKeepsItsDigests(t *testing.T) {
	path, manifests := ociArchive(t, "example.test/many:1", layerFile(t, entry{name: "a", body: "a"}), "amd64", "s390x")
	store := filepath.Join(t.TempDir(), "store")
	result := bakeTest(t, store, object{"archives": []string{path}})
	if len(result.Images) != 1 || result.Images[0].Manifest != manifests["amd64"].String() || result.Images[0].Refs[0] != "example.test/many:1" {
		t.Errorf("want the amd64 image %s under its name, got %+v", manifests["amd64"], result.Images)
	}
	must(t, verifyTest(t, store, "--arch", "amd64"))
	mustFail(t, verifyTest(t, store, "--arch", "s390x"), "does not take")
}

func TestAForeignImageCanBeLabelledAsNative(t *testing.T) {
	path, manifests := ociArchive(t, "example.test/many:1", layerFile(t, entry{name: "a", body: "a"}), "amd64", "s390x")
	spec := object{
		"archives": []any{object{"path": path, "refs": []string{"example.test/renamed:2"}, "pinned": true}},
		"images":   []object{{"refs": []string{"example.test/made:1"}, "layers": []string{layerFile(t, entry{name: "b", body: "b"})}}},
	}
	store := filepath.Join(t.TempDir(), "store")
	result := bakeTest(t, store, spec, "--arch", "s390x", "--label-as", "amd64")
	for _, made := range result.Images {
		if made.Platform != "linux/s390x" || made.LabelAs != "linux/amd64" {
			t.Errorf("image %v is for %s, labelled %s", made.Refs, made.Platform, made.LabelAs)
		}
	}
	if archived := result.Images[1]; archived.Manifest == manifests["s390x"].String() || !archived.Pinned {
		t.Errorf("archived image was not rewritten: %+v", archived)
	}
	config := read(t, store, blobsDir, digest.Digest(result.Images[1].ID).Encoded())
	if !bytes.Contains([]byte(config), []byte(`"Healthcheck"`)) {
		t.Errorf("rewriting lost a field of the config: %s", config)
	}
	must(t, verifyTest(t, store, "--arch", "amd64"))
}

func TestAnArchiveWithoutTheArchitectureIsRefused(t *testing.T) {
	path, _ := ociArchive(t, "example.test/many:1", layerFile(t, entry{name: "a", body: "a"}), "arm64", "s390x")
	_, err := tryBake(t, filepath.Join(t.TempDir(), "store"), object{"archives": []string{path}})
	mustFail(t, err, "no image for linux/amd64, only [linux/arm64")
}

func TestADockerArchiveIsTakenToo(t *testing.T) {
	layer := layerFile(t, entry{name: "a", body: "a"})
	config, err := json.Marshal(object{
		"architecture": "amd64", "os": "linux", "rootfs": object{"type": "layers", "diff_ids": []string{digest.FromString(read(t, layer)).String()}},
	})
	must(t, err)
	path := tarFile(t, map[string][]byte{
		"manifest.json": []byte(`[{"Config":"config.json","RepoTags":["tool:1","example.test/tool:1"],"Layers":["layer.tar"]}]`),
		"config.json":   config, "layer.tar": []byte(read(t, layer)),
	})
	store := filepath.Join(t.TempDir(), "store")
	result := bakeTest(t, store, object{"archives": []string{path}})
	if refs := result.Images[0].Refs; !slices.Equal(refs, []string{"docker.io/library/tool:1", "example.test/tool:1"}) {
		t.Errorf("image has the names %v", refs)
	}
	if result.Images[0].ID != digest.FromBytes(config).String() {
		t.Errorf("image has the id %s", result.Images[0].ID)
	}
	must(t, verifyTest(t, store, "--arch", "amd64"))
}
