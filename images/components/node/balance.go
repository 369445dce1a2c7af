package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	apiPort = "6443"
	// How often each API server is asked, and how long it may take to answer.
	healthInterval = 500 * time.Millisecond
	healthTimeout  = 3 * time.Second
	// An API server that cannot be reached is out at once; one that is slow, or says that its
	// etcd is, has this many tries: on a busy machine that passes, and cutting makes more work.
	slowTries   = 6
	dialTimeout = 2 * time.Second
	// How long a client waits while no API server takes its connection.
	patience = 10 * time.Second
)

// balancer leads connections to API servers that are ready, in turn. When one is ready no
// more, what leads there is cut: a peer that vanished says nothing, and clients that are cut
// come again, to another.
type balancer struct {
	journal  *journal
	backends []*backend
	mu       sync.Mutex
	next     int
}

// backend is one API server.
type backend struct {
	address string
	mu      sync.Mutex
	ready   bool
	open    map[net.Conn]struct{}
}

// startBalancer listens on all addresses of the node, as an API server does.
func startBalancer(n *node) error {
	listener, err := net.Listen("tcp", ":"+apiPort)
	if err != nil {
		return err
	}
	b := newBalancer(n.config.Backends, n.journal)
	for _, one := range b.backends {
		go b.watch(context.Background(), one, apiReady("https://"+one.address+"/readyz"))
	}
	go func() { n.journal.warn("balancer stopped", b.serve(listener)) }()
	return nil
}

func newBalancer(backends []netip.AddrPort, j *journal) *balancer {
	b := &balancer{journal: j}
	for _, address := range backends {
		b.backends = append(b.backends, &backend{address: address.String(), open: map[net.Conn]struct{}{}})
	}
	return b
}

// watch keeps asking; there is nothing that tells from outside.
func (b *balancer) watch(ctx context.Context, one *backend, probe func(context.Context) error) {
	failures := 0
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, healthTimeout)
		err := probe(limited)
		cancel()
		var dial *net.OpError
		reached := !errors.As(err, &dial) || dial.Op != "dial" || dial.Timeout()
		switch {
		case err == nil:
			failures = 0
			if one.set(true) {
				b.journal.say("ready", one.address)
			}
		case reached && failures+1 < slowTries:
			failures++
		default:
			if one.set(false) {
				b.journal.warn(one.address+" is not ready", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(healthInterval):
		}
	}
}

// set says whether that is new; connections to a server that is not ready are cut.
func (s *backend) set(ready bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready == ready {
		return false
	}
	s.ready = ready
	if !ready {
		for conn := range s.open {
			conn.Close()
		}
	}
	return true
}

func (s *backend) isReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

// hold notes a connection that is cut when its server is lost.
func (s *backend) hold(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = struct{}{}
}

func (s *backend) drop(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

func (b *balancer) serve(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go b.lead(conn)
	}
}

// order is whom to try, one after the other: those that are ready in turn, and if none is,
// all, as the first is so before it was asked.
func (b *balancer) order() []*backend {
	b.mu.Lock()
	b.next++
	start := b.next % len(b.backends)
	b.mu.Unlock()
	turned := slices.Concat(b.backends[start:], b.backends[:start])
	ready := slices.DeleteFunc(slices.Clone(turned), func(one *backend) bool { return !one.isReady() })
	if len(ready) > 0 {
		return ready
	}
	return turned
}

// lead carries one connection to its end.
func (b *balancer) lead(client net.Conn) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	one, server, err := b.dial(ctx)
	if err != nil {
		return // the client sees a closed connection and comes again
	}
	defer server.Close()
	one.hold(server)
	defer one.drop(server)
	carry(client, server)
}

// carry moves bytes both ways until both ends have said all.
func carry(client, server net.Conn) {
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
			done <- struct{}{}
		}()
	}
	<-done
	<-done
}

func (b *balancer) dial(ctx context.Context) (*backend, net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 5 * time.Second}
	last := errors.New("no API server")
	for ctx.Err() == nil {
		for _, one := range b.order() {
			conn, err := dialer.DialContext(ctx, "tcp", one.address)
			if err == nil {
				return one, conn, nil
			}
			last = err
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeInterval):
		}
	}
	return nil, nil, fmt.Errorf("no API server takes connections: %w", last)
}
