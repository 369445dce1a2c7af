package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestWhatCannotBeBakedIsRefused(t *testing.T) {
	good := layerFile(t, entry{name: "a", body: "a"})
	noTar := filepath.Join(t.TempDir(), "no.tar")
	must(t, os.WriteFile(noTar, bytes.Repeat([]byte("x"), 2048), 0o600))
	for want, spec := range map[string]object{
		"unknown field":            {"images": []object{{"refs": []string{"a.test/a:1"}, "layers": []string{good}, "label_as": "amd64"}}},
		"neither images nor":       {},
		"is not absolute":          oneImage("a.test/a:1", "layer.tar"),
		"not a tar file":           oneImage("a.test/a:1", noTar),
		"is not valid":             oneImage("A b", good),
		"overlayfs whiteout":       oneImage("a.test/a:1", deviceLayer(t)),
		"at least one of refs":     oneImage("a.test/a:1"),
		"no such file":             oneImage("a.test/a:1", good+".absent"),
		"not an OCI or Docker":     {"archives": []string{good}},
		`unknown field "platform"`: {"archives": []object{{"path": good, "platform": "amd64"}}},
	} {
		store := filepath.Join(t.TempDir(), "store")
		_, err := tryBake(t, store, spec)
		mustFail(t, err, want)
		if left, _ := os.ReadDir(filepath.Dir(store)); len(left) != 0 {
			t.Errorf("%s: the failed run left %v", want, left)
		}
	}
}

func deviceLayer(t *testing.T) string {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	must(t, writer.WriteHeader(&tar.Header{Name: "gone", Typeflag: tar.TypeChar}))
	must(t, writer.Close())
	path := filepath.Join(t.TempDir(), "device.tar")
	must(t, os.WriteFile(path, packed.Bytes(), 0o600))
	return path
}

func TestAStoreIsNotWrittenTwice(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	spec := oneImage("a.test/a:1", layerFile(t, entry{name: "a", body: "a"}))
	bakeTest(t, store, spec)
	_, err := tryBake(t, store, spec)
	mustFail(t, err, "is not empty")
	must(t, verifyTest(t, store))
}

func TestVerifyFindsDamage(t *testing.T) {
	for want, harm := range map[string]func(store string, made imageReport) error{
		"has no folder": func(store string, made imageReport) error {
			return os.RemoveAll(filepath.Join(store, filepath.Dir(made.Layers[0].Path)))
		},
		"is damaged": func(store string, made imageReport) error {
			return damage(filepath.Join(store, blobsDir, made.ID[len("sha256:"):]))
		},
		"cannot be read": func(store string, made imageReport) error {
			return os.Remove(filepath.Join(store, blobsDir, made.Manifest[len("sha256:"):]))
		},
		"is used by no image": func(store string, _ imageReport) error {
			return os.Mkdir(filepath.Join(store, snapshotsDir, "99"), 0o700)
		},
		"is not complete": func(store string, _ imageReport) error { return os.Remove(filepath.Join(store, snapshotDB)) },
	} {
		store := filepath.Join(t.TempDir(), "store")
		result := bakeTest(t, store, oneImage("a.test/a:1", layerFile(t, entry{name: "a", body: "a"})))
		must(t, verifyTest(t, store))
		must(t, harm(store, result.Images[0]))
		mustFail(t, verifyTest(t, store), want)
	}
}

// damage changes a byte and keeps the size.
func damage(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, bytes.Replace(data, []byte("linux"), []byte("Linux"), 1), 0o600)
}
