package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// named answers each connection with its name and keeps it open.
func named(t *testing.T, name string) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.WriteString(conn, name)
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}()
		}
	}()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// balanced serves a balancer of these and says where.
func balanced(t *testing.T, backends ...netip.AddrPort) (*balancer, string) {
	t.Helper()
	b := newBalancer(backends, &journal{out: io.Discard})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { _ = b.serve(listener) }()
	return b, listener.Addr().String()
}

func reach(t *testing.T, at string) (net.Conn, string) {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	name := make([]byte, 1)
	if _, err := io.ReadFull(conn, name); err != nil {
		t.Fatal(err)
	}
	return conn, string(name)
}

func TestConnectionsGoToWhoIsReadyInTurn(t *testing.T) {
	b, at := balanced(t, named(t, "a"), named(t, "b"), named(t, "c"))
	b.backends[0].set(true)
	b.backends[2].set(true)
	seen := map[string]int{}
	for range 12 {
		_, name := reach(t, at)
		seen[name]++
	}
	if seen["a"] == 0 || seen["c"] == 0 || seen["b"] != 0 {
		t.Errorf("reached %v", seen)
	}
}

func TestBeforeAnyIsReadyAllAreTried(t *testing.T) {
	gone := named(t, "x")
	gone = netip.AddrPortFrom(gone.Addr(), 1)
	_, at := balanced(t, gone, named(t, "b"))
	for range 4 {
		if _, name := reach(t, at); name != "b" {
			t.Errorf("reached %s", name)
		}
	}
}

func TestWhatLeadsToTheLostIsCut(t *testing.T) {
	b, at := balanced(t, named(t, "a"), named(t, "b"))
	var lost atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go b.watch(ctx, b.backends[0], func(context.Context) error {
		if lost.Load() {
			return &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return nil
	})
	eventually(t, "ready", b.backends[0].isReady)
	conn, name := reach(t, at)
	if name != "a" {
		t.Fatalf("reached %s", name)
	}
	lost.Store(true)
	b.backends[1].set(true)
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("not cut: %v", err)
	}
	if _, name := reach(t, at); name != "b" {
		t.Errorf("reached %s", name)
	}
}

func TestSlowIsNotLostAtOnce(t *testing.T) {
	b, _ := balanced(t, named(t, "a"))
	b.backends[0].set(true)
	var asked atomic.Int32
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go b.watch(ctx, b.backends[0], func(context.Context) error {
		asked.Add(1)
		return context.DeadlineExceeded
	})
	eventually(t, "asked again", func() bool { return asked.Load() == slowTries-1 })
	if !b.backends[0].isReady() {
		t.Error("out before it had its tries")
	}
	eventually(t, "out", func() bool { return !b.backends[0].isReady() })
}
