package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	probeInterval    = 20 * time.Millisecond
	probeTimeout     = 5 * time.Second
)

// runWait blocks until a program of this node answers. There is nothing to
// watch from outside of it, so it is asked again and again.
func runWait(args []string) error {
	flags := flag.NewFlagSet("wait", flag.ContinueOnError)
	timeout := flags.Duration("timeout", time.Minute, "how long to wait")
	address := flags.String("address", "", "host of the API server, default this cluster's control plane")
	if len(args) == 0 {
		return fmt.Errorf("give one of containerd, apiserver, settled")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	var probe func(context.Context) error
	switch args[0] {
	case "containerd":
		probe = criReady
	case "apiserver", "settled":
		host, err := apiHost(*address)
		if err != nil {
			return err
		}
		path := "/readyz"
		if args[0] == "settled" {
			path = settledReady
		}
		probe = apiReady("https://" + net.JoinHostPort(host, apiPort) + path)
	default:
		return fmt.Errorf("cannot wait for %q, only for containerd, apiserver or settled", args[0])
	}
	if err := until(ctx, probeInterval, probe); err != nil {
		return fmt.Errorf("%s did not answer within %s: %w", args[0], *timeout, err)
	}
	return nil
}

// until calls the probe until it succeeds; the last answer is the error.
func until(ctx context.Context, every time.Duration, probe func(context.Context) error) error {
	last := errors.New("not asked yet")
	for {
		one, cancel := context.WithTimeout(ctx, probeTimeout)
		err := probe(one)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(every):
		}
	}
}

// apiHost is this node if an API server answers there, and else the first control plane: by
// contract it is the first node.
func apiHost(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	c, err := loadConfig(configPath)
	if err != nil {
		return "", err
	}
	if c.Role != roleWorker {
		return c.Address.String(), nil
	}
	return c.Nodes[0].Address.String(), nil
}

// apiReady asks anonymously, which is allowed for this path, and does not
// check the certificate: it sends no secret and believes only a status.
func apiReady(url string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		// This waits by itself, even on a node that comes back.
		DialContext: direct().DialContext,
	}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s", url, resp.Status, lastLines(string(body), 10))
		}
		return nil
	}
}

// criReady asks for the runtime's status, which containerd refuses until its
// CRI plugin is initialised; a mere connection succeeds earlier.
func criReady(ctx context.Context) error {
	return grpcCall(ctx, containerdSocket, "/runtime.v1.RuntimeService/Status")
}

// grpcCall makes a unary gRPC call with an empty message and drops the
// answer: five bytes of frame over HTTP/2, not worth a library.
func grpcCall(ctx context.Context, socket, method string) error {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{
		Protocols: protocols,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+method, bytes.NewReader(make([]byte, 5)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	// A refused call may carry its status in the header already.
	for _, h := range []http.Header{resp.Trailer, resp.Header} {
		if status := h.Get("Grpc-Status"); status != "" {
			if status == "0" {
				return nil
			}
			return fmt.Errorf("%s: status %s: %s", method, status, h.Get("Grpc-Message"))
		}
	}
	return fmt.Errorf("%s: %s without a gRPC status", method, resp.Status)
}
