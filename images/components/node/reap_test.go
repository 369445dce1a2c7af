package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// There can be one collector per process, so all tests share it. The test
// process adopts orphans as PID 1 does.
var children = func() func(t *testing.T) *reaper {
	once := sync.OnceValues(func() (*reaper, error) {
		r := newReaper()
		go r.loop()
		return r, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	})
	return func(t *testing.T) *reaper {
		t.Helper()
		r, err := once()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}()

// eventually fails the test when the condition stays false.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func TestRunTellsHowItEnded(t *testing.T) {
	r := children(t)
	if err := r.run([]string{"true"}, ""); err != nil {
		t.Error(err)
	}
	cases := []struct {
		argv []string
		want string
	}{
		{[]string{"false"}, "false: exit status 1"},
		{[]string{"sh", "-c", "cat; echo no >&2; exit 3"}, "exit status 3: given | no"},
		{[]string{"sh", "-c", "kill -9 $$"}, "killed by killed"},
		{[]string{"/no/such/program"}, "no such file"},
	}
	for _, c := range cases {
		err := r.run(c.argv, "given\n")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %s", c.argv, err, c.want)
		}
	}
}

func TestRunDoesNotNeedItsInputRead(t *testing.T) {
	if err := children(t).run([]string{"true"}, strings.Repeat("x", 1<<20)); err != nil {
		t.Error(err)
	}
}

// Exits that come before or while the caller looks must not get lost.
func TestManyShortChildren(t *testing.T) {
	r := children(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if err := r.run([]string{"true"}, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOrphansAreReaped(t *testing.T) {
	r := children(t)
	file := filepath.Join(t.TempDir(), "pid")
	if err := r.run([]string{"sh", "-c", "sleep 0.2 >/dev/null 2>&1 & echo $! > " + file}, ""); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	// A zombie still takes signals; only a collected process is gone.
	eventually(t, "the orphan is gone", func() bool { return unix.Kill(pid, 0) == unix.ESRCH })
}

func TestChildlessComesAfterTheLastChild(t *testing.T) {
	r := children(t)
	<-r.childless()
	c, err := r.start([]string{"sleep", "60"}, devNull(t))
	if err != nil {
		t.Fatal(err)
	}
	empty := r.childless()
	select {
	case <-empty:
		t.Error("childless with a living child")
	case <-time.After(50 * time.Millisecond):
	}
	end(c, time.Second)
	select {
	case <-empty:
	case <-time.After(5 * time.Second):
		t.Error("never childless")
	}
}

func devNull(t *testing.T) [3]*os.File {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return [3]*os.File{null, null, null}
}
