package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestImagesShareTheSnapshotsOfSharedLayers(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	common := layerFile(t, entry{name: "usr/"}, entry{name: "usr/common", body: "both"})
	copied := layerFile(t, entry{name: "usr/"}, entry{name: "usr/common", body: "both"})
	result := bakeTest(t, store, object{"images": []object{
		{"refs": []string{"example.test/one:1", "example.test/uno:1"}, "layers": []string{common, layerFile(t, entry{name: "one", body: "1"})}},
		{"refs": []string{"example.test/two:2"}, "layers": []string{copied, layerFile(t, entry{name: "two", body: "22"})}, "pinned": true},
	}})

	one, two := result.Images[0], result.Images[1]
	if one.Layers[0] != two.Layers[0] || one.Layers[1] == two.Layers[1] {
		t.Errorf("want a common first layer and different second ones, got %v and %v", one.Layers, two.Layers)
	}
	if got := read(t, store, two.Layers[0].Path, "usr/common"); got != "both" {
		t.Errorf("shared layer holds %q", got)
	}
	if got := read(t, store, two.Layers[1].Path, "two"); got != "22" {
		t.Errorf("second layer holds %q", got)
	}
	if two.Bytes != int64(len("both")+len("22")) {
		t.Errorf("image says it has %d bytes", two.Bytes)
	}
	folders, err := os.ReadDir(filepath.Join(store, snapshotsDir))
	must(t, err)
	if len(folders) != 3 {
		t.Errorf("want three snapshots for four layers of which two are equal, got %v", folders)
	}
	must(t, verifyTest(t, store, "--arch", "amd64"))
}

func TestLayerArchivesAreNotKept(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	result := bakeTest(t, store, oneImage("example.test/one:1", layerFile(t, entry{name: "one", body: "1"})))
	blobs, err := os.ReadDir(filepath.Join(store, blobsDir))
	must(t, err)
	if len(blobs) != 2 {
		t.Errorf("want the manifest and the config of %s alone, got %v", result.Images[0].ID, blobs)
	}
}

func TestAStoreHoldsOnlyWhatItsBaseDoesNot(t *testing.T) {
	folder := t.TempDir()
	common := layerFile(t, entry{name: "common", body: "both"})
	base, above, top := filepath.Join(folder, "base"), filepath.Join(folder, "above"), filepath.Join(folder, "top")
	first := bakeTest(t, base, oneImage("example.test/one:1", common))
	before := contents(t, base)
	second := bakeTest(t, above, oneImage("example.test/two:2", common, layerFile(t, entry{name: "two", body: "22"})), "--base", base)
	third := bakeTest(t, top, oneImage("example.test/three:3", common, layerFile(t, entry{name: "three", body: "333"})), "--base", base, "--base", above)

	if !reflect.DeepEqual(before, contents(t, base)) {
		t.Error("baking on top of a base changed the base")
	}
	layers := second.Images[0].Layers
	if !layers[0].FromBase || layers[0].Snapshot != first.Images[0].Layers[0].Snapshot || layers[1].FromBase {
		t.Errorf("want the first layer from the base and the second one not, got %+v", layers)
	}
	for store, want := range map[string]string{above: layers[1].Snapshot, top: third.Images[0].Layers[1].Snapshot} {
		folders, err := os.ReadDir(filepath.Join(store, snapshotsDir))
		must(t, err)
		if len(folders) != 1 || folders[0].Name() != want || !folders[0].IsDir() {
			t.Errorf("want snapshot %s alone in %s, got %v", want, store, folders)
		}
	}
	must(t, verifyTest(t, above, "--base", base))
	must(t, verifyTest(t, top, "--base", base, "--base", above))
	mustFail(t, verifyTest(t, above), "has no folder")
}

func TestANameMovesToTheImageOfTheUpperStore(t *testing.T) {
	folder := t.TempDir()
	base, above := filepath.Join(folder, "base"), filepath.Join(folder, "above")
	fixed := "example.test/fixed@sha256:" + strings.Repeat("0", 64)
	bakeTest(t, base, oneImage("example.test/one:1", layerFile(t, entry{name: "old", body: "o"})))
	result := bakeTest(t, above, object{"images": []object{{
		"refs": []string{"example.test/one:1", fixed}, "layers": []string{layerFile(t, entry{name: "new", body: "n"})},
	}}}, "--base", base)
	var out bytes.Buffer
	must(t, run(t.Context(), []string{"verify", "--store", above, "--base", base}, &out))
	var seen findings
	must(t, json.Unmarshal(out.Bytes(), &seen))
	ids := map[string]string{}
	for _, each := range seen.Images {
		ids[each.Name] = each.ID
	}
	for _, name := range []string{"example.test/one:1", fixed} {
		if ids[name] != result.Images[0].ID {
			t.Errorf("%s is %q, want the upper store's %s", name, ids[name], result.Images[0].ID)
		}
	}
}

func TestDeletionsAreFlattened(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	below := layerFile(t, entry{name: "gone", body: "x"}, entry{name: "kept", body: "k"}, entry{name: "opaque/"}, entry{name: "opaque/old", body: "o"})
	above := layerFile(t, entry{name: ".wh.gone"}, entry{name: "opaque/"}, entry{name: "opaque/.wh..wh..opq"}, entry{name: "opaque/new", body: "n"})
	result := bakeTest(t, store, object{"images": []object{
		{"refs": []string{"example.test/whole:1"}, "layers": []string{below}},
		{"refs": []string{"example.test/deleted:1"}, "layers": []string{below, above}},
	}})
	whole, flat := result.Images[0], result.Images[1]
	if whole.Flattened || !flat.Flattened || len(flat.Layers) != 1 {
		t.Fatalf("want the second image alone in one layer, got %+v", result)
	}
	if got := paths(t, filepath.Join(store, flat.Layers[0].Path)); !reflect.DeepEqual(got, []string{"kept", "opaque", "opaque/new"}) {
		t.Errorf("flattened layer holds %v", got)
	}
	must(t, verifyTest(t, store))
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	folder := t.TempDir()
	below := layerFile(t, entry{name: "deep/in/a", body: "a"}, entry{name: "b", body: "b"})
	spec := object{"images": []object{}}
	for _, name := range []string{"one", "two", "three", "four", "five", "six", "seven"} {
		spec["images"] = append(spec["images"].([]object), object{
			"refs": []string{"example.test/" + name + ":1"}, "config": object{"Entrypoint": []string{"/" + name}},
			"layers": []string{below, layerFile(t, entry{name: "deep/" + name, body: name}, entry{name: "deep/in/.wh.a"})},
		}, object{"refs": []string{"example.test/whole-" + name + ":1"}, "layers": []string{below}})
	}
	bakeTest(t, filepath.Join(folder, "a"), spec)
	bakeTest(t, filepath.Join(folder, "b"), spec)
	a, b := contents(t, filepath.Join(folder, "a")), contents(t, filepath.Join(folder, "b"))
	for path := range a {
		if a[path] != b[path] {
			t.Errorf("%s differs: %.80q and %.80q", path, a[path], b[path])
		}
	}
	if len(a) != len(b) {
		t.Errorf("stores have %d and %d files", len(a), len(b))
	}
}

// contents is everything that an image layer would take of a folder: names, modes, times, bytes.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		body := info.Mode().String() + " " + info.ModTime().UTC().String() + " "
		if entry.Type().IsRegular() {
			body += read(t, path)
		}
		name, err := filepath.Rel(root, path)
		all[name] = body
		return err
	}))
	return all
}

func paths(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		if path != root {
			name, err := filepath.Rel(root, path)
			must(t, err)
			all = append(all, name)
		}
		return nil
	}))
	return all
}
