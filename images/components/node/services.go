package main

import (
	"sync"
	"time"
)

// services are the supervised programs of the node, by name.
type services struct {
	node   *node
	mu     sync.Mutex
	byName map[string]*supervisor
	closed bool
}

func newServices(n *node) *services {
	return &services{node: n, byName: map[string]*supervisor{}}
}

// start does nothing once the node stops.
func (s *services) start(what service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.byName[what.name] = supervise(what, s.node.journal, s.node.reaper)
	}
}

func (s *services) get(name string) *supervisor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[name]
}

// stop ends one service and lets none start any more.
func (s *services) stop(name string, grace time.Duration) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if v := s.get(name); v != nil {
		v.stop(grace)
	}
}

const logDir = "/var/log/kcluster/"

func containerdService() service {
	return service{
		name: "containerd",
		log:  logDir + "containerd.log",
		argv: func() ([]string, error) {
			return []string{"containerd", "--config", "/etc/containerd/config.toml"}, nil
		},
	}
}
