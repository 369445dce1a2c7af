package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

const (
	// Also written in src/node/registry.rs, which points containerd to it.
	registryAddress = "127.0.0.1:10290"
	registryIndex   = "/kcluster/registry.json"
	bakedBlobs      = bakedStore + "/io.containerd.content.v1.content/blobs/sha256"
)

// registry lets this node's containerd pull again what is baked into the
// node, as a pod with the policy Always demands. It serves manifests and
// configs only: containerd asks for no layer that is unpacked already. What it
// does not know containerd asks the real registry for.
type registry struct {
	digests map[string]string // by reference
	blobs   string
}

// startRegistry does nothing in an image without the list of what is baked.
func startRegistry(n *node) error {
	r, err := loadRegistry(registryIndex, bakedBlobs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", registryAddress)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { n.journal.warn("registry stopped", server.Serve(listener)) }()
	return nil
}

func loadRegistry(index, blobs string) (*registry, error) {
	data, err := os.ReadFile(index)
	if err != nil {
		return nil, err
	}
	r := &registry{blobs: blobs}
	if err := json.Unmarshal(data, &r.digests); err != nil {
		return nil, fmt.Errorf("%s: %w", index, err)
	}
	return r, nil
}

var (
	pulled     = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/([^/]+)$`)
	digestForm = regexp.MustCompile(`^sha256:([0-9a-f]{64})$`)
)

// ServeHTTP speaks the part of the distribution protocol that a pull needs;
// `ns` is the registry that containerd would have asked.
func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.URL.Path == "/v2/" {
		return
	}
	parts := pulled.FindStringSubmatch(q.URL.Path)
	if parts == nil || (q.Method != http.MethodGet && q.Method != http.MethodHead) {
		http.NotFound(w, q)
		return
	}
	name, kind, digest := parts[1], parts[2], parts[3]
	if kind == "manifests" && !digestForm.MatchString(digest) {
		digest = r.digests[q.URL.Query().Get("ns")+"/"+name+":"+digest]
	}
	data, err := r.blob(digest)
	if err != nil {
		http.NotFound(w, q)
		return
	}
	media := "application/octet-stream"
	if kind == "manifests" {
		media = mediaType(data)
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Docker-Content-Digest", digest)
	http.ServeContent(w, q, "", time.Time{}, bytes.NewReader(data))
}

func (r *registry) blob(digest string) ([]byte, error) {
	hex := digestForm.FindStringSubmatch(digest)
	if hex == nil {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(filepath.Join(r.blobs, hex[1]))
}

// mediaType is what a manifest says of itself; one of the first OCI kind may say nothing.
func mediaType(manifest []byte) string {
	var said struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(manifest, &said) == nil && said.MediaType != "" {
		return said.MediaType
	}
	return "application/vnd.oci.image.manifest.v1+json"
}
