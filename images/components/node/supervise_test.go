package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// story collects events and can be read while they come.
type story struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *story) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *story) events(t *testing.T) []event {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []event
	for line := range bytes.Lines(s.buf.Bytes()) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func (s *story) count(t *testing.T, name string) int {
	n := 0
	for _, e := range s.events(t) {
		if e.Event == name {
			n++
		}
	}
	return n
}

func testNode(t *testing.T) (*node, *story) {
	s := &story{}
	return &node{journal: &journal{out: s}, reaper: children(t), config: sample(t)}, s
}

func shell(t *testing.T, script string) service {
	return service{
		name: "kubelet",
		log:  filepath.Join(t.TempDir(), "logs", "kubelet.log"),
		argv: func() ([]string, error) { return []string{"sh", "-c", script}, nil },
	}
}

func TestExitedServiceComesBackWithBackOff(t *testing.T) {
	n, s := testNode(t)
	v := supervise(shell(t, "echo broken; exit 7"), n.journal, n.reaper)
	eventually(t, "started three times", func() bool { return s.count(t, "started") >= 3 })
	v.stop(time.Second)
	var waits []string
	for _, e := range s.events(t) {
		if e.Event != "exited" {
			continue
		}
		waits = append(waits, e.Detail)
		if !strings.Contains(e.Error, "exit status 7: ") || !strings.Contains(e.Error, "broken") {
			t.Errorf("error %q lacks the status or the log", e.Error)
		}
	}
	if waits[0] != "kubelet, again in 100ms" || waits[1] != "kubelet, again in 200ms" {
		t.Errorf("waits %v", waits)
	}
}

func TestMissingProgramIsToldAndTriedAgain(t *testing.T) {
	n, s := testNode(t)
	what := shell(t, "")
	what.argv = func() ([]string, error) { return []string{"/no/such/kubelet"}, nil }
	v := supervise(what, n.journal, n.reaper)
	eventually(t, "tried twice", func() bool { return s.count(t, "exited") >= 2 })
	v.stop(time.Second)
	if e := s.events(t)[0]; !strings.Contains(e.Error, "/no/such/kubelet") {
		t.Errorf("error %q", e.Error)
	}
}

func TestStopIsForcedAfterTheGrace(t *testing.T) {
	n, s := testNode(t)
	what := shell(t, "trap '' TERM; echo deaf; while :; do sleep 0.05; done")
	v := supervise(what, n.journal, n.reaper)
	eventually(t, "deaf", func() bool { return strings.Contains(tail(what.log, 1), "deaf") })
	began := time.Now()
	v.stop(100 * time.Millisecond)
	if took := time.Since(began); took < 100*time.Millisecond || took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	if pid := s.events(t)[0].Pid; unix.Kill(pid, 0) != unix.ESRCH {
		t.Errorf("process %d lives", pid)
	}
}

func TestStopDoesNotWaitForAGate(t *testing.T) {
	n, s := testNode(t)
	what := shell(t, "sleep 60")
	what.gate = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	v := supervise(what, n.journal, n.reaper)
	if err := v.restart(); err == nil || !strings.Contains(err.Error(), "waits for its configuration") {
		t.Errorf("restart before the gate: %v", err)
	}
	v.stop(time.Second)
	if events := s.events(t); len(events) != 0 {
		t.Errorf("events %v", events)
	}
	if err := v.restart(); err != errStopped {
		t.Errorf("restart after stop: %v", err)
	}
}

func TestRestartByTheControlSocket(t *testing.T) {
	n, s := testNode(t)
	all := newServices(n)
	socket := filepath.Join(t.TempDir(), "run", "control.sock")
	if err := all.serveControl(socket); err != nil {
		t.Fatal(err)
	}
	if err := order(socket, "restart kubelet"); err == nil || !strings.Contains(err.Error(), `no service "kubelet"`) {
		t.Errorf("got %v", err)
	}
	if err := order(socket, "explode"); err == nil || !strings.Contains(err.Error(), "not understood") {
		t.Errorf("got %v", err)
	}
	all.start(shell(t, "exec sleep 60"))
	eventually(t, "started", func() bool { return s.count(t, "started") == 1 })
	if err := order(socket, "restart kubelet"); err != nil {
		t.Error(err)
	}
	if got := s.count(t, "started"); got != 2 {
		eventually(t, "started again", func() bool { return s.count(t, "started") == 2 })
	}
	if s.count(t, "exited") != 0 {
		t.Error("a restart that was asked for counts as a failure")
	}
	all.stop("kubelet", time.Second)
	all.start(shell(t, "exec sleep 60"))
	if s.count(t, "started") != 2 {
		t.Error("a service started while the node stops")
	}
}

// Shims outlive the containerd that left them behind.
func TestOrphansOfAServiceSurviveItsRestart(t *testing.T) {
	n, s := testNode(t)
	file := filepath.Join(t.TempDir(), "pid")
	what := shell(t, "[ -e "+file+" ] || { sleep 60 & echo $! > "+file+"; }; exec sleep 60")
	v := supervise(what, n.journal, n.reaper)
	eventually(t, "orphan", func() bool { info, err := os.Stat(file); return err == nil && info.Size() > 1 })
	if err := v.restart(); err != nil {
		t.Fatal(err)
	}
	v.stop(time.Second)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("the orphan died with its service: %v", err)
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	eventually(t, "the orphan is collected", func() bool { return unix.Kill(pid, 0) == unix.ESRCH })
	if s.count(t, "started") != 2 {
		t.Errorf("events %v", s.events(t))
	}
}
