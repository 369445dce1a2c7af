package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kcluster.dev/components/emulator/binfmt"
	"kcluster.dev/components/emulator/report"
)

func TestVersionsAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"qemu-s390x version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)\nCopyright": "10.0.13",
		"qemu-aarch64 version 7.2.22\n":                                         "7.2.22",
		"something else":                                                        "",
	} {
		if got := version(text); got != want {
			t.Errorf("%q gives %q, not %q", text, got, want)
		}
	}
}

// script makes a program that stands in for a probe.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe-s390x")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}

func TestACheckThatKillsTheProbeIsNamedAndTheNextOnesAreTried(t *testing.T) {
	judge := Judge{folder: script(t, `
case "$2" in
0) echo '{"begin":"exec"}'; echo '{"check":"exec","needed":true,"answer":"ok"}'
   echo '{"begin":"memory","needed":true}'; echo 'qemu: out of luck' >&2; kill -SEGV $$ ;;
2) echo '{"begin":"bpf"}'; echo '{"check":"bpf","answer":"ENOSYS"}' ;;
esac`)}
	lines, err := judge.answers("s390x")
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 || lines[0].Answer != report.OK || lines[2].Answer != "ENOSYS" {
		t.Fatalf("%+v", lines)
	}
	died := lines[1]
	if died.Check != "memory" || !died.Needed || !strings.Contains(died.Answer, "segmentation fault: qemu: out of luck") {
		t.Errorf("%+v", died)
	}
}

func TestAProbeThatSaysNothingOrNonsenseIsNoProof(t *testing.T) {
	for _, text := range []string{"exit 0", "echo Hello", "exit 3"} {
		judge := Judge{folder: script(t, text)}
		if lines, err := judge.answers("s390x"); err == nil {
			t.Errorf("%s: %+v", text, lines)
		}
	}
	judge := Judge{folder: t.TempDir()}
	if _, err := judge.answers("s390x"); err == nil {
		t.Error("a probe that is not there answered")
	}
}

func TestWithoutARegistrationNothingIsGood(t *testing.T) {
	machine, err := binfmt.Find("s390x")
	if err != nil {
		t.Fatal(err)
	}
	judge := Judge{dir: binfmt.Dir(t.TempDir()), folder: script(t, "exit 0")}
	judged, err := judge.Look(machine)
	if err != nil {
		t.Fatal(err)
	}
	if judged.Good || len(judged.Why) != 1 || !strings.Contains(judged.Why[0], "nothing is registered") {
		t.Errorf("%+v", judged)
	}
	if err := judge.Register(machine); err == nil || !strings.Contains(err.Error(), "no emulator") {
		t.Errorf("%v", err)
	}
}
