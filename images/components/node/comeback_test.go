package main

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadComeback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "comeback.json")
	if c, err := loadComeback(path); c != nil || err != nil {
		t.Errorf("got %v, %v", c, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadComeback(path); err == nil {
		t.Error("half a file is taken for a whole one")
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := loadComeback(path); c == nil || err != nil {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestReleaseMayComeTwice(t *testing.T) {
	c := newComeback(true)
	select {
	case <-c.released:
		t.Error("one that is held goes on")
	default:
	}
	c.release()
	c.release()
	<-c.released
	<-newComeback(false).released
}

func onLoopback() (net.Listener, error) { return net.Listen("tcp4", "127.0.0.1:0") }

func TestConnectionsAreHeldUntilThereAreAnswers(t *testing.T) {
	server, err := onLoopback()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	listener, err := onLoopback()
	if err != nil {
		t.Fatal(err)
	}
	h := &heldServer{target: server.Addr().String(), listener: listener}
	answers := make(chan struct{})
	ended := make(chan struct{})
	go func() { h.serve(answers); close(ended) }()

	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	_ = client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := client.Read(got); err == nil {
		t.Errorf("answered %q before there were answers", got[:n])
	}
	close(answers)
	_ = client.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := h.last(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("it still listens")
	}
}

func TestTheDetourIsAcceptedByNft(t *testing.T) {
	config := sample(t, sixth...)
	held, err := hold(config, onLoopback, onLoopback)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		defer h.listener.Close()
	}
	table := detour(held)
	for _, peer := range config.Nodes {
		for _, rule := range []string{"ip daddr " + peer.Address.String() + " tcp dport 6443", "ip6 daddr " + peer.Address6.String() + " tcp dport 6443"} {
			if !strings.Contains(table, rule) {
				t.Errorf("no %q in\n%s", rule, table)
			}
		}
	}
	nft, err := exec.LookPath("nft")
	if err != nil || os.Getuid() != 0 {
		t.Skip("needs nft and root")
	}
	if err := children(t).run([]string{nft, "--check", "-f", "-"}, table); err != nil {
		t.Errorf("%v:\n%s", err, table)
	}
}

func TestRunningNamesWhatDoesNot(t *testing.T) {
	proc := t.TempDir()
	write(t, filepath.Join(proc, "7", "cmdline"), "/usr/bin/etcd\x00--name=a\x00")
	write(t, filepath.Join(proc, "8", "cmdline"), "/kcluster/qemu-s390x\x00/usr/bin/kube-scheduler\x00--kubeconfig=/etc/kube-apiserver\x00--x\x00")
	if err := running(proc, []string{"etcd", "kube-scheduler"})(t.Context()); err != nil {
		t.Error(err)
	}
	err := running(proc, []string{"etcd", "kube-apiserver"})(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "kube-apiserver ") {
		t.Errorf("got %v", err)
	}
}

func TestAControlPlanesKubeletBeginsAlone(t *testing.T) {
	c := newComeback(false)
	var none *comeback
	if !c.alone(roleControl) || c.alone(roleWorker) || none.alone(roleControl) {
		t.Error("the wrong kubelets are alone")
	}
	close(c.begun)
	if c.alone(roleControl) {
		t.Error("it stays alone")
	}
}
