package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeRuntime speaks just enough gRPC: a status in the trailers, or, as for a
// refused call, in the header.
func fakeRuntime(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

func TestGrpcCall(t *testing.T) {
	const method = "/runtime.v1.RuntimeService/Status"
	good := fakeRuntime(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != method || r.Header.Get("Content-Type") != "application/grpc" {
			t.Errorf("asked %s as %s", r.URL.Path, r.Header.Get("Content-Type"))
		}
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(make([]byte, 5))
		w.Header().Set("Grpc-Status", "0")
	})
	if err := grpcCall(t.Context(), good, method); err != nil {
		t.Error(err)
	}
	early := fakeRuntime(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Grpc-Status", "2")
		w.Header().Set("Grpc-Message", "server is not initialized yet")
	})
	if err := grpcCall(t.Context(), early, method); err == nil || !strings.Contains(err.Error(), "not initialized yet") {
		t.Errorf("got %v", err)
	}
	foreign := fakeRuntime(t, func(http.ResponseWriter, *http.Request) {})
	if err := grpcCall(t.Context(), foreign, method); err == nil || !strings.Contains(err.Error(), "without a gRPC status") {
		t.Errorf("got %v", err)
	}
	if err := grpcCall(t.Context(), filepath.Join(t.TempDir(), "none"), method); err == nil {
		t.Error("nobody listens, and all is well")
	}
}

func TestApiReady(t *testing.T) {
	ready := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !ready {
			http.Error(w, "[+]ping ok\n[-]etcd failed", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	probe := apiReady(server.URL + "/readyz")
	err := probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "500") || !strings.Contains(err.Error(), "[-]etcd failed") {
		t.Errorf("got %v", err)
	}
	ready = true
	if err := probe(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestUntilKeepsTheLastAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	socket := filepath.Join(t.TempDir(), "none")
	err := until(ctx, time.Millisecond, func(ctx context.Context) error { return grpcCall(ctx, socket, "/x") })
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	calls := 0
	err = until(t.Context(), time.Millisecond, func(context.Context) error {
		if calls++; calls < 3 {
			return errStopped
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestWaitRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{}, {"etcd"}, {"containerd", "--timeout", "soon"}} {
		if err := runWait(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}
