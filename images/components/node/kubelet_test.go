package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnvWords(t *testing.T) {
	cases := []struct {
		name, text string
		want       []string
	}{
		{"as kubeadm writes it", `KUBELET_KUBEADM_ARGS="--a=unix:///run/x.sock --b=pause:3.10"` + "\n", []string{"--a=unix:///run/x.sock", "--b=pause:3.10"}},
		{"empty", `KUBELET_KUBEADM_ARGS=""`, nil},
		{"quoted word inside", `KUBELET_KUBEADM_ARGS="--labels=\"a b\" --c"`, []string{"--labels=a b", "--c"}},
		{"single quotes", `KUBELET_KUBEADM_ARGS='--a "--b c"'`, []string{"--a", "--b c"}},
		{"without quotes", `KUBELET_KUBEADM_ARGS=--a`, []string{"--a"}},
		{"after others", "# comment\nOTHER=\"--no\"\n KUBELET_KUBEADM_ARGS=\"--yes\"\n", []string{"--yes"}},
		{"longer name", `KUBELET_KUBEADM_ARGS_X="--no"`, nil},
	}
	for _, c := range cases {
		got, err := envWords(c.text, "KUBELET_KUBEADM_ARGS")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if _, err := envWords(`KUBELET_KUBEADM_ARGS="--a`, "KUBELET_KUBEADM_ARGS"); err == nil {
		t.Error("an unfinished quote is accepted")
	}
}

func TestSplitWords(t *testing.T) {
	cases := []struct {
		text string
		want []string
	}{
		{`a  b	c`, []string{"a", "b", "c"}},
		{`a\ b`, []string{"a b"}},
		{`"" ''`, []string{"", ""}},
		{`x"y z"w`, []string{"xy zw"}},
		{`"a\d\\\""`, []string{`a\d\"`}},
		{`'a\'`, []string{`a\`}},
	}
	for _, c := range cases {
		if got, err := splitWords(c.text); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestKubeletArgs(t *testing.T) {
	dir := t.TempDir()
	flags, extra := filepath.Join(dir, "flags"), filepath.Join(dir, "extra")
	if _, err := kubeletArgs(false, flags, extra); err == nil {
		t.Error("starts without kubeadm's flags")
	}
	write(t, flags, `KUBELET_KUBEADM_ARGS="--node-ip=1.2.3.4"`)
	got, err := kubeletArgs(false, flags, extra)
	if err != nil || len(got) != 5 || got[4] != "--node-ip=1.2.3.4" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = kubeletArgs(true, flags, extra)
	if err != nil || slices.ContainsFunc(got, func(arg string) bool { return strings.Contains(arg, "kubeconfig") }) {
		t.Errorf("one that is alone got %q, %v", got, err)
	}
	write(t, extra, "KUBELET_EXTRA_ARGS=--v=4\n")
	got, err = kubeletArgs(false, flags, extra)
	if err != nil || got[len(got)-1] != "--v=4" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWaitForFiles(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	done := make(chan error, 1)
	go func() { done <- waitForFiles(context.Background(), one, two) }()
	write(t, one, "x")
	write(t, two, "") // made, but still empty
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	// As kubeadm and others do: in place, or renamed.
	write(t, filepath.Join(dir, "half"), "y")
	if err := os.Rename(filepath.Join(dir, "half"), two); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("files are there, still waiting")
	}
	// A restarted node finds them at once.
	if err := waitForFiles(context.Background(), one, two); err != nil {
		t.Error(err)
	}
}

func TestWaitForFilesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- waitForFiles(ctx, filepath.Join(t.TempDir(), "never")) }()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("says the file is there")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestKubeletProgram(t *testing.T) {
	other := filepath.Join(t.TempDir(), "kubelet")
	if got := kubeletProgram(other); got != "kubelet" {
		t.Errorf("got %s", got)
	}
	if err := os.WriteFile(other, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := kubeletProgram(other); got != other {
		t.Errorf("got %s", got)
	}
}
