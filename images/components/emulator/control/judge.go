package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kcluster.dev/components/emulator/binfmt"
	"kcluster.dev/components/emulator/report"
)

// Judged is what is known of one architecture.
type Judged struct {
	Arch string `json:"arch"`
	// Native says that the machine runs it without an emulator.
	Native bool `json:"native"`
	// Entries are the registrations that fit its programs.
	Entries []binfmt.Entry `json:"entries"`
	// Used is the path of the emulator that really ran.
	Used string `json:"used"`
	// Version is that of the emulator, such as "10.0.8".
	Version string `json:"version"`
	// Ours says that our own registration is the one used.
	Ours bool `json:"ours"`
	// Good says that nodes can rely on it; Why says why not.
	Good bool     `json:"good"`
	Why  []string `json:"why"`
	// Lacks are system calls that the kernel offers and the emulator does not.
	Lacks []Lack `json:"lacks"`
	// Instead is what was wrong with what was registered before ours.
	Instead []string `json:"instead"`
	// Took is how long the proof ran, in milliseconds.
	Took int64 `json:"took"`
}

// Lack is a difference between emulator and kernel.
type Lack struct {
	What     string `json:"what"`
	Emulated string `json:"emulated"`
	Native   string `json:"native"`
}

// Oldest is the first version of QEMU under which Go's programs are known to start others without hanging, and
// which nodes are tested with.
const Oldest = 10

// Judge looks at registrations from beside the emulators and probes.
type Judge struct {
	dir    binfmt.Dir
	folder string
	// quick tries only what shows that foreign programs run.
	quick  bool
	native map[string]report.Line
}

func (j *Judge) probe(arch string) string {
	return filepath.Join(j.folder, "probe-"+arch)
}

// Register makes our registration of a machine.
func (j *Judge) Register(machine binfmt.Machine) error {
	emulator := filepath.Join(j.folder, "qemu-"+machine.QEMU)
	if _, err := os.Stat(emulator); err != nil {
		return fmt.Errorf("no emulator of %s is at hand: %w", machine.Arch, err)
	}
	if err := j.dir.Register(machine, emulator); err != nil {
		return fmt.Errorf("register %s for %s: %w", emulator, machine.Arch, err)
	}
	return nil
}

// Look finds out what runs a machine's programs, and how well.
func (j *Judge) Look(machine binfmt.Machine) (Judged, error) {
	judged := Judged{
		Arch: machine.Arch, Entries: []binfmt.Entry{}, Why: []string{}, Lacks: []Lack{}, Instead: []string{},
	}
	if machine.Arch == runtime.GOARCH {
		judged.Native, judged.Good = true, true
		return judged, nil
	}
	head, err := binfmt.Head(j.probe(machine.Arch))
	if err != nil {
		return judged, err
	}
	entries, err := j.dir.Entries()
	if err != nil {
		return judged, err
	}
	for _, entry := range entries {
		if entry.Matches(head) {
			judged.Entries = append(judged.Entries, entry)
		}
	}
	begun := time.Now()
	j.prove(machine, &judged)
	judged.Took = time.Since(begun).Milliseconds()
	judged.Good = len(judged.Why) == 0
	return judged, nil
}

func (j *Judge) prove(machine binfmt.Machine, judged *Judged) {
	why := func(format string, args ...any) {
		judged.Why = append(judged.Why, fmt.Sprintf(format, args...))
	}
	if len(judged.Entries) == 0 {
		why("nothing is registered for %s programs", machine.Arch)
		return
	}
	for _, entry := range judged.Entries {
		if !strings.Contains(entry.Flags, "F") {
			why("registration %s (%s) lacks the flag F, so it is of no use in containers", entry.Name, entry.Interpreter)
		}
	}
	if err := j.identify(machine, judged); err != nil {
		why("%v", err)
		return
	}
	// One that lacks F does no harm beside the one that is used.
	judged.Why = []string{}
	major, _, _ := strings.Cut(judged.Version, ".")
	if number, err := strconv.Atoi(major); err != nil {
		why("%s does not tell its version", judged.Used)
	} else if number < Oldest {
		why("%s is QEMU %s; %d or later is needed, as Go's programs hang under older ones", judged.Used, judged.Version, Oldest)
		return
	}
	emulated, err := j.answers(machine.Arch)
	if err != nil {
		why("%v", err)
		return
	}
	if j.native == nil {
		lines, err := j.answers(runtime.GOARCH)
		if err != nil {
			why("this machine's own probe: %v", err)
			return
		}
		j.native = map[string]report.Line{}
		for _, line := range lines {
			j.native[line.Check] = line
		}
	}
	for _, line := range emulated {
		native := j.native[line.Check].Answer
		switch {
		case line.Answer == native:
		case line.Needed && line.Answer != report.OK:
			why("%s: %s", line.Check, line.Answer)
		case !line.Needed && line.Answer != report.OK:
			judged.Lacks = append(judged.Lacks, Lack{line.Check, line.Answer, native})
		}
	}
}

// identify finds out which file really runs the machine's programs, and of which version it is.
func (j *Judge) identify(machine binfmt.Machine, judged *Judged) error {
	held := exec.Command(j.probe(machine.Arch), "-hold")
	input, err := held.StdinPipe()
	if err != nil {
		return err
	}
	if err := held.Start(); err != nil {
		return fmt.Errorf("a program of %s does not start: %w", machine.Arch, err)
	}
	defer func() {
		_ = input.Close()
		_ = held.Process.Kill()
		_ = held.Wait()
	}()
	// To the kernel, the process runs the emulator, wherever that lies.
	link := fmt.Sprintf("/proc/%d/exe", held.Process.Pid)
	if judged.Used, err = os.Readlink(link); err != nil {
		return err
	}
	for _, entry := range judged.Entries {
		if entry.Ours && entry.Interpreter == judged.Used {
			judged.Ours = true
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(limit, link, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s does not tell its version: %w", judged.Used, err)
	}
	judged.Version = version(string(output))
	return nil
}

// version takes "10.0.8" from "qemu-s390x version 10.0.8 (Debian 1:10.0.8+ds-0+deb13u1)".
func version(text string) string {
	_, rest, _ := strings.Cut(text, " version ")
	version, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	version, _, _ = strings.Cut(version, "\n")
	return version
}

// patience is for one run of a probe; each of its checks has a limit of its own.
const patience = 90 * time.Second

// essentials are the checks that a boot waits for.
const essentials = "machine,exec,argv0"

// answers runs a probe to its end, and again from the next check on where one killed it.
func (j *Judge) answers(arch string) ([]report.Line, error) {
	program := j.probe(arch)
	only := ""
	if j.quick {
		only = essentials
	}
	var all []report.Line
	for {
		lines, err := once(program, only, len(all))
		if err != nil {
			return nil, err
		}
		if len(lines) == 0 {
			if len(all) == 0 {
				return nil, fmt.Errorf("%s printed nothing", program)
			}
			return all, nil
		}
		all = append(all, lines...)
		if last := lines[len(lines)-1]; last.Begin == "" {
			return all, nil
		}
		all[len(all)-1].Begin = ""
	}
}

// once runs a probe from a check on. Where it ends before its time, the last line still says what began.
func once(program, only string, from int) ([]report.Line, error) {
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := exec.CommandContext(limit, program, "-from", strconv.Itoa(from), "-only", only)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, failed := command.Output()
	if failed != nil {
		if _, ok := errors.AsType[*exec.ExitError](failed); !ok {
			return nil, fmt.Errorf("%s: %w", program, failed)
		}
	}
	var lines []report.Line
	var begun *report.Line
	scanner := bufio.NewScanner(bytes.NewReader(output))
	for scanner.Scan() {
		var line report.Line
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s printed %q: %w", program, scanner.Text(), err)
		}
		if line.Begin != "" {
			begun = &line
			continue
		}
		begun = nil
		lines = append(lines, line)
	}
	if begun != nil {
		lines = append(lines, report.Line{
			Begin: begun.Begin, Check: begun.Begin, Needed: begun.Needed, Answer: death(failed, limit.Err(), complaints.String()),
		})
	}
	return lines, nil
}

func death(failed, limit error, complaints string) string {
	how := "the program ended"
	if limit != nil {
		how = fmt.Sprintf("hangs: ended after %s", patience)
	} else if exit, ok := errors.AsType[*exec.ExitError](failed); ok {
		status, ok := exit.Sys().(syscall.WaitStatus)
		if ok && status.Signaled() {
			how = fmt.Sprintf("the program died of %s", status.Signal())
		} else {
			how = fmt.Sprintf("the program ended with %s", exit)
		}
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(complaints), "\n"); first != "" {
		how += ": " + first
	}
	return how
}
