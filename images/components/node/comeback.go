package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// A node that comes back from a snapshot has an API server that takes seconds
// to answer. A kubelet that asks it too early waits longer with each attempt,
// and tells that its node is not ready when the answers come in the wrong
// order. So a kubelet that may ask starts only once there are answers; a
// control plane's first one knows of no API server, and runs its static pods.
type comeback struct {
	// released lets the kubelets meet the API server.
	released chan struct{}
	once     sync.Once
	// answers is closed once that server is ready.
	answers chan struct{}
}

// comebackPath is there if the node comes back.
const comebackPath = "/kcluster/comeback.json"

// settledReady leaves out what has nothing to do in a cluster that has lived:
// the first makes priority classes, after a second's sleep, the other roles.
const settledReady = "/readyz?exclude=poststarthook/scheduling/bootstrap-system-priority-classes" +
	"&exclude=poststarthook/rbac/bootstrap-roles"

func newComeback(hold bool) *comeback {
	c := &comeback{released: make(chan struct{}), answers: make(chan struct{})}
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

// alone tells whether the kubelet must do without an API server.
func (c *comeback) alone(role string) bool {
	if c == nil || role != roleControl {
		return false
	}
	select {
	case <-c.answers:
		return false
	default:
		return true
	}
}

// await blocks a kubelet that is of no use before the API server answers.
func (c *comeback) await(ctx context.Context, role string) error {
	if c == nil || role == roleControl {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.answers:
		return nil
	}
}

// watch returns when the server is ready and all are released.
func (c *comeback) watch(url string) {
	<-c.released
	_ = until(context.Background(), probeInterval, apiReady(url))
	close(c.answers)
}

// comeBack ends the comeback: a node that is started again later does not come
// back from a snapshot.
func (n *node) comeBack(s *services) {
	api := net.JoinHostPort(n.config.Nodes[0].Address.String(), apiPort)
	n.comeback.watch("https://" + api + settledReady)
	n.journal.say("back", "the API server answers")
	err := os.Remove(comebackPath)
	if n.config.Role == roleControl {
		err = errors.Join(err, s.get("kubelet").restart())
	}
	if err != nil {
		n.journal.warn("coming back", err)
	}
}

// runRelease is the caller's side.
func runRelease([]string) error { return order(controlSocket, "release kubelet") }
