package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// entry is a file of a test layer. A name that ends in a slash is a folder.
type entry struct {
	name, body string
	mode       int64
}

func layerFile(t *testing.T, entries ...entry) string {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for _, each := range entries {
		header := &tar.Header{
			Name: each.name, Mode: 0o644, Size: int64(len(each.body)), Typeflag: tar.TypeReg,
			Uid: os.Getuid(), Gid: os.Getgid(), ModTime: time.Unix(1_600_000_000, 0),
		}
		if each.mode != 0 {
			header.Mode = each.mode
		}
		if strings.HasSuffix(each.name, "/") {
			header.Typeflag, header.Mode = tar.TypeDir, 0o755
		}
		must(t, writer.WriteHeader(header))
		_, err := writer.Write([]byte(each.body))
		must(t, err)
	}
	must(t, writer.Close())
	path := filepath.Join(t.TempDir(), "layer.tar")
	must(t, os.WriteFile(path, packed.Bytes(), 0o600))
	return path
}

// bakeTest runs the command line as a caller would.
func bakeTest(t *testing.T, store string, spec any, more ...string) report {
	t.Helper()
	output, err := tryBake(t, store, spec, more...)
	must(t, err)
	var parsed report
	must(t, json.Unmarshal(output, &parsed))
	return parsed
}

func tryBake(t *testing.T, store string, spec any, more ...string) ([]byte, error) {
	t.Helper()
	data, err := json.Marshal(spec)
	must(t, err)
	file := filepath.Join(t.TempDir(), "spec.json")
	must(t, os.WriteFile(file, data, 0o600))
	var out bytes.Buffer
	args := append([]string{"--store", store, "--arch", "amd64"}, more...)
	err = run(t.Context(), append(args, file), &out)
	return out.Bytes(), err
}

func verifyTest(t *testing.T, store string, more ...string) error {
	t.Helper()
	var out bytes.Buffer
	return run(t.Context(), append([]string{"verify", "--store", store}, more...), &out)
}

// object is JSON as the Rust side writes it.
type object = map[string]any

func oneImage(ref string, layers ...string) object {
	return object{"images": []object{{"refs": []string{ref}, "layers": layers}}}
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	must(t, err)
	return string(data)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustFail(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got the error %v, want one that says %q", err, want)
	}
}
