package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A node that comes back from a snapshot has an API server that takes seconds
// to answer. A program that asks it too early waits longer with each attempt,
// and a kubelet tells that its node is not ready when the answers come in the
// wrong order. So who asks is held: his connection is taken here, and led on
// once there are answers.
//
// A kubelet that is held mounts no volumes and so starts no pods either. A
// control plane's first one therefore knows of no API server; once its static
// pods run, another takes its place.
type comeback struct {
	// released lets them meet the API server.
	released chan struct{}
	once     sync.Once
	// begun is closed once the static pods run.
	begun chan struct{}
	// answers is closed once the API server is ready.
	answers chan struct{}
	held    []*heldServer
}

// comebackPath is there if the node comes back.
const comebackPath = "/kcluster/comeback.json"

// settledReady leaves out what has nothing to do in a cluster that has lived:
// the first makes priority classes, after a second's sleep, the other roles.
const settledReady = "/readyz?exclude=poststarthook/scheduling/bootstrap-system-priority-classes" +
	"&exclude=poststarthook/rbac/bootstrap-roles"

func newComeback(hold bool) *comeback {
	c := &comeback{released: make(chan struct{}), begun: make(chan struct{}), answers: make(chan struct{})}
	if !hold {
		c.release()
	}
	return c
}

// loadComeback is nil for a node that does not come back.
func loadComeback(path string) (*comeback, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var told struct {
		// Hold waits for the order "release": something has to be done first.
		Hold bool `json:"hold"`
	}
	if err := json.Unmarshal(data, &told); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return newComeback(told.Hold), nil
}

func (c *comeback) release() { c.once.Do(func() { close(c.released) }) }

// setUpComeback holds whom this node's programs ask, until their API server answers.
func setUpComeback(n *node) error {
	if n.comeback == nil {
		return nil
	}
	held, err := hold(n.config, func() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") },
		func() (net.Listener, error) { return net.Listen("tcp6", "[::1]:0") })
	if err != nil {
		return err
	}
	if err := n.reaper.run([]string{"nft", "-f", "-"}, detour(held)); err != nil {
		return err
	}
	for _, h := range held {
		go h.serve(n.comeback.answers)
	}
	n.comeback.held = held
	return nil
}

// alone tells whether the kubelet must do without an API server.
func (c *comeback) alone(role string) bool {
	if c == nil || role != roleControl {
		return false
	}
	select {
	case <-c.begun:
		return false
	default:
		return true
	}
}

// comeBack ends the comeback: a node that is started again later does not come
// back from a snapshot.
func (n *node) comeBack(s *services) {
	// A control plane asks its own API server, a worker the first one.
	api := n.config.Nodes[0].Address
	if n.config.Role == roleControl {
		api = n.config.Address
		go n.beginAlone(s)
	}
	if err := n.meet(api); err != nil {
		n.journal.warn("coming back", err)
	}
}

// staticPods are kubeadm's, by the programs that run in them.
var staticPods = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// staticPodsLimit is for a kubelet that is emulated on a busy machine.
const staticPodsLimit = 5 * time.Minute

// beginAlone lets the kubelet know of the API server once the static pods run.
func (n *node) beginAlone(s *services) {
	ctx, cancel := context.WithTimeout(context.Background(), staticPodsLimit)
	defer cancel()
	err := until(ctx, probeInterval, running("/proc", staticPods))
	close(n.comeback.begun)
	n.journal.say("begun", "the static pods run")
	if err = errors.Join(err, s.get("kubelet").restart()); err != nil {
		n.journal.warn("beginning with static pods", err)
	}
}

// meet lets the API server's clients go on once it answers.
func (n *node) meet(api netip.Addr) error {
	c := n.comeback
	<-c.released
	server := "https://" + net.JoinHostPort(api.String(), apiPort)
	err := until(context.Background(), probeInterval, apiReady(server+settledReady))
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	err = errors.Join(err, doubt(ctx, server, n.config.Name, kubeletCertificate, clusterAuthority))
	n.journal.say("back", "the API server answers")
	err = errors.Join(err, n.reaper.run([]string{"nft", "delete", "table", "inet", detourTable}, ""))
	close(c.answers)
	for _, h := range c.held {
		err = errors.Join(err, h.last())
	}
	return errors.Join(err, os.Remove(comebackPath))
}

// running finds programs by their command lines; an emulated one is its
// emulator's first argument.
func running(proc string, names []string) func(context.Context) error {
	return func(context.Context) error {
		missing := slices.Clone(names)
		lines, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "cmdline"))
		if err != nil {
			return err
		}
		for _, line := range lines {
			data, _ := os.ReadFile(line) // gone meanwhile is nobody's
			words := strings.SplitN(string(data), "\x00", 4)
			missing = slices.DeleteFunc(missing, func(name string) bool {
				return slices.ContainsFunc(words[:min(3, len(words))], func(word string) bool {
					return !strings.HasPrefix(word, "-") && filepath.Base(word) == name
				})
			})
		}
		if len(missing) > 0 {
			return fmt.Errorf("%s does not run", strings.Join(missing, ", "))
		}
		return nil
	}
}

// heldServer is an API server that is asked too early.
type heldServer struct {
	address  netip.Addr
	target   string
	listener net.Listener
}

// hold makes a listener for each address of each node: which of them have an
// API server, a node does not know.
func hold(c *nodeConfig, four, six func() (net.Listener, error)) ([]*heldServer, error) {
	var held []*heldServer
	for _, peer := range c.Nodes {
		for _, address := range []netip.Addr{peer.Address, peer.Address6} {
			if !address.IsValid() {
				continue
			}
			listen := four
			if address.Is6() {
				listen = six
			}
			listener, err := listen()
			if err != nil {
				return nil, err
			}
			target := net.JoinHostPort(address.String(), apiPort)
			held = append(held, &heldServer{address: address, target: target, listener: listener})
		}
	}
	return held, nil
}

const (
	detourTable = "kcluster-comeback"
	// Connections with this mark take no detour.
	directMark = 0x6b636c
)

// detour renders the table that leads connections to the API servers here.
func detour(held []*heldServer) string {
	rules := []string{fmt.Sprintf("meta mark %#x accept", directMark)}
	for _, h := range held {
		family := "ip"
		if h.address.Is6() {
			family = "ip6"
		}
		_, port, _ := net.SplitHostPort(h.listener.Addr().String())
		rules = append(rules, fmt.Sprintf("%s daddr %s tcp dport %s redirect to :%s", family, h.address, apiPort, port))
	}
	var b strings.Builder
	b.WriteString("table inet " + detourTable + " {\n")
	chain(&b, "output", "type nat hook output priority -110; policy accept;", rules)
	b.WriteString("}\n")
	return b.String()
}

// direct is for connections that take no detour. Who may not set marks has no detour either.
func direct() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		outer := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, directMark)
		})
		if errors.Is(err, unix.EPERM) {
			err = nil
		}
		return errors.Join(outer, err)
	}}
}

// serve takes connections and leads them on once there are answers.
func (h *heldServer) serve(answers <-chan struct{}) {
	defer h.listener.Close()
	for {
		client, err := h.listener.Accept()
		if err != nil {
			return // it was the last
		}
		go func() {
			defer client.Close()
			<-answers
			server, err := direct().Dial("tcp", h.target)
			if err != nil {
				return // the client sees a closed connection and comes again
			}
			defer server.Close()
			carry(client, server)
		}()
	}
}

// lastArrivals is how long connections may be on their way after the detour is gone.
const lastArrivals = time.Second

// last ends the listening.
func (h *heldServer) last() error {
	if listener, ok := h.listener.(*net.TCPListener); ok {
		return listener.SetDeadline(time.Now().Add(lastArrivals))
	}
	return h.listener.Close()
}

// runRelease is the caller's side.
func runRelease([]string) error { return order(controlSocket, "release kubelet") }
