package main

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	manifestHex = strings.Repeat("a", 64)
	configHex   = strings.Repeat("b", 64)
)

const manifestText = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}`

func serveRegistry(t *testing.T) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	index := filepath.Join(dir, "registry.json")
	files := map[string]string{
		index:                            `{"r.invalid/e2e/kitten:1.8":"sha256:` + manifestHex + `"}`,
		filepath.Join(dir, manifestHex):  manifestText,
		filepath.Join(dir, configHex):    `{"config":true}`,
		filepath.Join(dir, "not-a-blob"): "secret",
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := loadRegistry(index, dir)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return server
}

func TestBakedImagesArePulledByTagAndDigest(t *testing.T) {
	server := serveRegistry(t)
	for path, want := range map[string]struct {
		status            int
		text, media, hash string
	}{
		"/v2/": {status: 200},
		"/v2/e2e/kitten/manifests/1.8?ns=r.invalid":       {200, manifestText, "application/vnd.oci.image.index.v1+json", "sha256:" + manifestHex},
		"/v2/e2e/kitten/manifests/sha256:" + manifestHex:  {200, manifestText, "application/vnd.oci.image.index.v1+json", "sha256:" + manifestHex},
		"/v2/e2e/kitten/manifests/sha256:" + configHex:    {200, `{"config":true}`, "application/vnd.oci.image.manifest.v1+json", "sha256:" + configHex},
		"/v2/e2e/kitten/blobs/sha256:" + configHex:        {200, `{"config":true}`, "application/octet-stream", "sha256:" + configHex},
		"/v2/e2e/kitten/manifests/1.8?ns=other.invalid":   {status: 404},
		"/v2/e2e/kitten/manifests/1.9?ns=r.invalid":       {status: 404},
		"/v2/e2e/kitten/blobs/not-a-blob":                 {status: 404},
		"/v2/e2e/kitten/blobs/..%2Fnot-a-blob":            {status: 404},
		"/v2/e2e/kitten/blobs/sha256:" + manifestHex[:63]: {status: 404},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			request, err := http.NewRequest(method, server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != want.status {
				t.Errorf("%s %s: status %d, want %d", method, path, answer.StatusCode, want.status)
				continue
			}
			if want.text == "" {
				continue
			}
			if method == http.MethodGet && string(body) != want.text {
				t.Errorf("%s: %q", path, body)
			}
			if answer.ContentLength != int64(len(want.text)) {
				t.Errorf("%s %s: length %d", method, path, answer.ContentLength)
			}
			if got := answer.Header.Get("Content-Type"); got != want.media {
				t.Errorf("%s: type %q", path, got)
			}
			if got := answer.Header.Get("Docker-Content-Digest"); got != want.hash {
				t.Errorf("%s: digest %q", path, got)
			}
		}
	}
}

func TestARegistryNeedsAList(t *testing.T) {
	if _, err := loadRegistry(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing list: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "registry.json")
	if err := os.WriteFile(broken, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadRegistry(broken, ""); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("a broken list: %v", err)
	}
}
