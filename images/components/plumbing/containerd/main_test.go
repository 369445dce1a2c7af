package main

import "testing"

func TestTheNameChoosesTheCommand(t *testing.T) {
	for called, want := range map[string]string{"ctr": "ctr", "containerd": "containerd", "containerd-arm64": "containerd"} {
		if got := applet(called).Name; got != want {
			t.Errorf("called as %q: got the command %q, want %q", called, got, want)
		}
	}
}
