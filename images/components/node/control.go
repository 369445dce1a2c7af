package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PID 1 takes orders on a socket: one line in, "ok" or an error out. A socket
// rather than signals, because the caller wants to know how it went.
const controlSocket = "/run/kcluster/control.sock"

func (s *services) serveControl(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				s.node.journal.warn("control socket", err)
				return
			}
			go s.answer(conn)
		}
	}()
	return nil
}

func (s *services) answer(conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(io.LimitReader(conn, 256)).ReadString('\n')
	if err != nil {
		return // the caller went away
	}
	reply := "ok"
	if err := s.obey(strings.Fields(line)); err != nil {
		reply = err.Error()
	}
	_, _ = fmt.Fprintln(conn, reply)
}

func (s *services) obey(words []string) error {
	if slices.Equal(words, []string{"release", "kubelet"}) {
		if s.node.comeback == nil {
			return fmt.Errorf("this node is not held")
		}
		s.node.comeback.release()
		return nil
	}
	if len(words) != 2 || words[0] != "restart" {
		return fmt.Errorf("not understood: %q", words)
	}
	v := s.get(words[1])
	if v == nil {
		return fmt.Errorf("no service %q is supervised yet", words[1])
	}
	s.node.journal.say("restart", words[1])
	return v.restart()
}

// runRestart is the caller's side.
func runRestart(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("give one of containerd, kubelet")
	}
	return order(controlSocket, "restart "+args[0])
}

func order(socket, line string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return fmt.Errorf("asking the node's first process: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * restartGrace)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return fmt.Errorf("no answer to %q: %w", line, err)
	}
	if reply = strings.TrimSpace(reply); reply != "ok" {
		return fmt.Errorf("%s", reply)
	}
	return nil
}
