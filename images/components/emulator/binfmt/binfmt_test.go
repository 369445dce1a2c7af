package binfmt

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// entry is what the kernel would show of our registration of a machine.
func entry(t *testing.T, machine Machine) Entry {
	t.Helper()
	magic, mask := machine.Magic()
	text := "enabled\ninterpreter /qemu\nflags: POCF\noffset 0\nmagic " + hex.EncodeToString(magic) + "\nmask " + hex.EncodeToString(mask) + "\n"
	parsed, err := Parse(machine.Name(), text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestEveryMachineMatchesItsOwnProgramsAndNoOthers(t *testing.T) {
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"exe", "pie"} {
		for _, built := range Machines {
			program := filepath.Join(t.TempDir(), built.Arch)
			build := exec.Command("go", "build", "-buildmode="+mode, "-o", program, source)
			build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+built.Arch, "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
			if output, err := build.CombinedOutput(); err != nil {
				if mode == "pie" && strings.Contains(string(output), "requires external") {
					t.Logf("SKIPPED %s %s: needs a linker for it", mode, built.Arch)
					continue
				}
				t.Fatalf("%s %s: %v\n%s", mode, built.Arch, err, output)
			}
			head, err := Head(program)
			if err != nil {
				t.Fatal(err)
			}
			for _, machine := range Machines {
				if got, want := entry(t, machine).Matches(head), machine.Arch == built.Arch; got != want {
					t.Errorf("%s %s: registration of %s matches: %v", mode, built.Arch, machine.Arch, got)
				}
			}
			disabled := entry(t, built)
			disabled.Enabled = false
			if disabled.Matches(head) {
				t.Errorf("a disabled registration of %s matches", built.Arch)
			}
			if short := entry(t, built); short.Matches(head[:10]) {
				t.Errorf("half a header of %s matches", built.Arch)
			}
			// GNU/Linux as the system, as ld writes it when a program has indirect functions.
			head[7] = 3
			if !entry(t, built).Matches(head) {
				t.Errorf("%s for GNU/Linux does not match", built.Arch)
			}
			// A shared object without its ELF type is no program: relocatable files (1) and core files (4).
			for _, kind := range []byte{1, 4} {
				other := append([]byte{}, head...)
				other[16], other[17] = kind, 0
				if built.big {
					other[16], other[17] = 0, kind
				}
				if entry(t, built).Matches(other) {
					t.Errorf("an ELF file of type %d matches on %s", kind, built.Arch)
				}
			}
		}
	}
}

func TestLinesAreAsTheKernelWantsThem(t *testing.T) {
	machine, err := Find("s390x")
	if err != nil {
		t.Fatal(err)
	}
	want := `:kcluster-s390x:M::\x7f\x45\x4c\x46\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16` +
		`:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff:/e/qemu-s390x:POCF`
	if got := machine.Line("/e/qemu-s390x"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Find("riscv64"); err == nil {
		t.Error("riscv64 was found")
	}
}

func TestRegistrationsOfOthersAreReadAndNeverRemoved(t *testing.T) {
	dir := Dir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(dir.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("status", "enabled\n")
	write("register", "")
	// Without a mask all bits count; without magic a name's end decides.
	write("qemu-s390x", "enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: \noffset 0\nmagic 7f454c46\n")
	write("python", "disabled\ninterpreter /usr/bin/python\nflags: \nextension .pyc\n")
	write("kcluster-arm64", "enabled\ninterpreter /e/qemu-aarch64\nflags: POCF\noffset 0\nmagic 7f\n")
	entries, err := dir.Entries()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 || !entries[0].Ours || entries[1].Ours || entries[2].Interpreter != "/usr/bin/qemu-s390x-static" {
		t.Fatalf("%+v", entries)
	}
	elf := []byte("\x7fELF\x02")
	if !entries[2].Matches(elf) || entries[1].Matches(elf) || entries[2].Matches([]byte("#!/bin/sh\n")) {
		t.Errorf("wrong matches: %+v", entries)
	}
	if err := dir.Remove("qemu-s390x"); err == nil {
		t.Error("another's registration was removed")
	}
	if err := dir.Remove("kcluster-s390x"); err != nil {
		t.Errorf("one that is not there: %v", err)
	}
	if enabled, err := dir.Enabled(); !enabled || err != nil {
		t.Errorf("enabled: %v, %v", enabled, err)
	}
	for _, broken := range []string{"enabled\nmagic zz\n", "enabled\noffset -1\nmagic 7f\n", "enabled\noffset x\n"} {
		if _, err := Parse("x", broken); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
}
