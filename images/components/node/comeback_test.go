package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLoadComeback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comeback.json")
	if c, err := loadComeback(path); c != nil || err != nil {
		t.Errorf("got %v, %v", c, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadComeback(path); err == nil {
		t.Error("half a file is taken for a whole one")
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := loadComeback(path); c == nil || err != nil {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestKubeletsWaitForTheServer(t *testing.T) {
	ready := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-ready:
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	c := newComeback(true)
	go c.watch(server.URL)
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.await(soon, roleWorker); err == nil {
		t.Error("a worker's kubelet starts though nobody answers")
	}
	if err := c.await(t.Context(), roleControl); err != nil || !c.alone(roleControl) {
		t.Errorf("a control plane's kubelet does not begin alone: %v", err)
	}
	close(ready)
	select {
	case <-c.answers:
		t.Error("one that is held was not released, and goes on")
	case <-time.After(50 * time.Millisecond):
	}
	c.release()
	c.release()
	if err := c.await(t.Context(), roleWorker); err != nil {
		t.Error(err)
	}
	if c.alone(roleControl) {
		t.Error("it stays alone")
	}
}

func TestOthersDoNotWait(t *testing.T) {
	var none *comeback
	if err := none.await(t.Context(), roleWorker); err != nil || none.alone(roleControl) {
		t.Errorf("a new node waits: %v", err)
	}
}
