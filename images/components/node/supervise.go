package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// service is a program that must always run.
type service struct {
	name string
	log  string
	// gate blocks until the program may be started; nil is at once.
	gate func(context.Context) error
	// argv is asked before each start, so that changed settings count.
	argv func() ([]string, error)
}

const (
	firstDelay  = 100 * time.Millisecond
	longestWait = 5 * time.Second
	// A program that ran so long was well: the back-off begins anew.
	healthyAfter = 10 * time.Second
	restartGrace = 5 * time.Second
)

// supervisor keeps one service running; its loop alone touches the process.
type supervisor struct {
	service
	journal *journal
	reaper  *reaper
	ctx     context.Context
	cancel  context.CancelFunc
	grace   time.Duration // written before cancel, read after
	kicks   chan chan error
	done    chan struct{}
	pending []chan error
}

var errStopped = errors.New("the node is stopping")

func supervise(s service, j *journal, r *reaper) *supervisor {
	ctx, cancel := context.WithCancel(context.Background())
	v := &supervisor{service: s, journal: j, reaper: r, ctx: ctx, cancel: cancel,
		kicks: make(chan chan error), done: make(chan struct{})}
	go v.loop()
	return v
}

// stop ends the program for good, by force when the grace is over.
func (v *supervisor) stop(grace time.Duration) {
	v.grace = grace
	v.cancel()
	<-v.done
}

// restart ends the program and waits until its successor was started.
func (v *supervisor) restart() error {
	reply := make(chan error, 1)
	select {
	case v.kicks <- reply:
	case <-v.done:
		return errStopped
	}
	select {
	case err := <-reply:
		return err
	case <-v.done:
		return errStopped
	}
}

func (v *supervisor) loop() {
	defer close(v.done)
	delay := firstDelay
	for v.awaitGate() {
		began := time.Now()
		kicked, err := v.runOnce()
		if v.ctx.Err() != nil {
			return
		}
		if kicked {
			delay = firstDelay
			continue
		}
		if time.Since(began) >= healthyAfter {
			delay = firstDelay
		}
		v.journal.write(event{Event: "exited", Detail: fmt.Sprintf("%s, again in %s", v.name, delay), Error: err.Error()})
		select {
		case <-v.ctx.Done():
			return
		case reply := <-v.kicks:
			v.pending = append(v.pending, reply)
			delay = firstDelay
		case <-time.After(delay):
			delay = min(2*delay, longestWait)
		}
	}
}

// awaitGate blocks until the program may start; false when the node stops.
func (v *supervisor) awaitGate() bool {
	if v.gate == nil {
		return v.ctx.Err() == nil
	}
	open := make(chan error, 1)
	go func() { open <- v.gate(v.ctx) }()
	for {
		select {
		case err := <-open:
			if v.ctx.Err() != nil {
				return false
			}
			if err != nil {
				v.journal.warn(v.name+" could not wait for what it needs", err)
			}
			return true
		case reply := <-v.kicks:
			reply <- fmt.Errorf("%s is not running: it waits for its configuration", v.name)
		}
	}
}

// runOnce starts the program and waits for its end; kicked when someone asked
// for that end.
func (v *supervisor) runOnce() (kicked bool, err error) {
	c, err := v.launch()
	for _, reply := range v.pending {
		reply <- err
	}
	v.pending = nil
	if err != nil {
		return false, err
	}
	v.journal.write(event{Event: "started", Detail: v.name, Pid: c.pid})
	select {
	case status := <-c.exit:
		return false, fmt.Errorf("%s: %s", describe(status), tail(v.log, 5))
	case reply := <-v.kicks:
		v.pending = append(v.pending, reply)
		end(c, restartGrace)
		return true, nil
	case <-v.ctx.Done():
		end(c, v.grace)
		return false, errStopped
	}
}

func (v *supervisor) launch() (*child, error) {
	argv, err := v.argv()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(v.log), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(v.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	return v.reaper.start(argv, [3]*os.File{null, log, log})
}

// end asks a process to go and makes it go. Only the process itself: the
// shims that containerd left behind must survive it.
func end(c *child, grace time.Duration) {
	_ = unix.Kill(c.pid, unix.SIGTERM)
	select {
	case <-c.exit:
	case <-time.After(grace):
		_ = unix.Kill(c.pid, unix.SIGKILL)
		<-c.exit
	}
}

// tail gives the last lines of a log on one line.
func tail(path string, lines int) string {
	const most = 4096
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	size, err := f.Seek(0, 2)
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, min(size, most))
	if _, err := f.ReadAt(buf, size-int64(len(buf))); err != nil {
		return err.Error()
	}
	return lastLines(string(buf), lines)
}
