package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/opencontainers/go-digest"
)

// layer is one file system change set, readable as an uncompressed tar as often as needed.
type layer struct {
	diffID digest.Digest
	size   int64
	// whiteouts: it deletes something of the layers below it.
	whiteouts bool
	open      func() (io.ReadCloser, error)
}

// layerFiles remembers what was found in a file, since images share layers.
type layerFiles map[string]layer

func (known layerFiles) layer(file string) (layer, error) {
	if found, ok := known[file]; ok {
		return found, nil
	}
	scanned, err := scan(func() (io.ReadCloser, error) { return os.Open(file) })
	if err != nil {
		return layer{}, fmt.Errorf("layer %s cannot be used: %w", file, err)
	}
	known[file] = scanned
	return scanned, nil
}

// scan reads a layer once, compressed or not: its digest, its size, and whether it needs flattening.
func scan(open func() (io.ReadCloser, error)) (layer, error) {
	result := layer{open: func() (io.ReadCloser, error) {
		raw, err := open()
		if err != nil {
			return nil, err
		}
		plain, err := compression.DecompressStream(raw)
		if err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return both{Reader: plain, closers: []io.Closer{plain, raw}}, nil
	}}
	stream, err := result.open()
	if err != nil {
		return layer{}, err
	}
	defer stream.Close()

	count := &counted{digester: digest.Canonical.Digester(), reader: stream}
	entries := tar.NewReader(count)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return layer{}, fmt.Errorf("not a tar file: %w", err)
		}
		if strings.HasPrefix(path.Base(header.Name), ".wh.") {
			result.whiteouts = true
		}
		if header.Typeflag == tar.TypeChar && header.Devmajor == 0 && header.Devminor == 0 {
			return layer{}, fmt.Errorf("entry %s is an overlayfs whiteout device, which no image layer can hold: use .wh. entries", header.Name)
		}
	}
	// What follows the end marker belongs to the digest.
	if _, err := io.Copy(io.Discard, count); err != nil {
		return layer{}, err
	}
	result.diffID, result.size = count.digester.Digest(), count.size
	return result, nil
}

// counted digests and measures what is read through it.
type counted struct {
	reader   io.Reader
	digester digest.Digester
	size     int64
}

func (c *counted) Read(buffer []byte) (int, error) {
	n, err := c.reader.Read(buffer)
	c.size += int64(n)
	c.digester.Hash().Write(buffer[:n])
	return n, err
}

// both reads one stream and closes all that it stands on.
type both struct {
	io.Reader
	closers []io.Closer
}

func (b both) Close() error {
	var all []error
	for _, closer := range b.closers {
		all = append(all, closer.Close())
	}
	return errors.Join(all...)
}
