package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper owns every child exit of the process. PID 1 inherits the orphans of
// the whole node, so it must wait for any child, and waiting for any child
// steals the exits that os/exec waits for. Therefore os/exec runs nothing
// here: children are started and their exits handed out in this one place.
//
// A child is forked and noted under the lock that the collecting loop takes
// too, so even one that ends at once finds its entry.
type reaper struct {
	mu      sync.Mutex
	waiting map[int]chan unix.WaitStatus
	empty   []chan struct{}
}

func newReaper() *reaper {
	return &reaper{waiting: map[int]chan unix.WaitStatus{}}
}

// loop collects for ever. Several ends may share one signal, hence the drain.
func (r *reaper) loop() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	for {
		r.drain()
		<-signals
	}
}

func (r *reaper) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			for _, c := range r.empty {
				close(c)
			}
			r.empty = nil
			return
		case err != nil || pid <= 0:
			return
		}
		if exit, ours := r.waiting[pid]; ours {
			delete(r.waiting, pid)
			exit <- status
		}
	}
}

// childless gives a channel that closes once no child is left.
func (r *reaper) childless() <-chan struct{} {
	c := make(chan struct{})
	r.mu.Lock()
	r.empty = append(r.empty, c)
	r.mu.Unlock()
	r.drain()
	return c
}

// child is a process that was started here.
type child struct {
	pid  int
	exit <-chan unix.WaitStatus
}

// start runs a program in a session of its own with the three standard files.
func (r *reaper) start(argv []string, files [3]*os.File) (*child, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: fds,
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	exit := make(chan unix.WaitStatus, 1)
	r.waiting[pid] = exit
	return &child{pid, exit}, nil
}

// run executes a short-lived program with the input and waits for its end;
// what it printed is part of the error.
func (r *reaper) run(argv []string, input string) error {
	in, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	read, out, err := os.Pipe()
	if err != nil {
		return errors.Join(err, in.Close(), feed.Close())
	}
	defer read.Close()
	c, err := r.start(argv, [3]*os.File{in, out, out})
	in.Close()
	out.Close()
	if err != nil {
		feed.Close()
		return err
	}
	go func() {
		defer feed.Close()
		// A program that ends early closes its input; its status tells why.
		_, _ = io.WriteString(feed, input)
	}()
	var printed bytes.Buffer
	_, _ = io.Copy(&printed, io.LimitReader(read, 64<<10))
	status := <-c.exit
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	return fmt.Errorf("%s: %s: %s", strings.Join(argv, " "), describe(status), lastLines(printed.String(), 10))
}

// describe tells how a process ended.
func describe(s unix.WaitStatus) string {
	if s.Signaled() {
		return "killed by " + s.Signal().String()
	}
	return fmt.Sprintf("exit status %d", s.ExitStatus())
}

// lastLines gives the end of a text on one line, as events are lines.
func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], " | ")
}
