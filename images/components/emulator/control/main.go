// Command control shows, makes and removes the registrations by which the kernel runs foreign programs, and proves
// them: it starts a foreign program that tries what the programs of a node do. It runs in a short-lived container
// on the machine that the nodes run on.
//
//	control status ARCH…   what is registered for each, and all that the emulator can do
//	control ensure ARCH…   the same, after registering ours where nothing that is registered is good enough
//	control ready ARCH…    as ensure, but tries only what shows that foreign programs run: this is for each boot
//	control remove         removes our registrations
//
// Beside it lie `qemu-NAME` for each foreign architecture and `probe-ARCH` for every one.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"kcluster.dev/components/emulator/binfmt"
)

func main() {
	if filepath.Base(os.Args[0]) == "cat" {
		os.Exit(cat(os.Args[1:]))
	}
	answer, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Answer is what is printed.
type Answer struct {
	// Native is the architecture of this machine.
	Native string `json:"native"`
	// Kernel is its release.
	Kernel string `json:"kernel"`
	// Machines are those asked for.
	Machines []Judged `json:"machines"`
	// Made and Removed are names of our registrations.
	Made    []string `json:"made"`
	Removed []string `json:"removed"`
}

func run(args []string) (Answer, error) {
	answer := Answer{Native: runtime.GOARCH, Kernel: kernel(), Machines: []Judged{}, Made: []string{}, Removed: []string{}}
	if len(args) == 0 {
		return answer, fmt.Errorf("give one of status, ensure, ready, remove")
	}
	self, err := os.Executable()
	if err != nil {
		return answer, err
	}
	dir, err := mount()
	if err != nil {
		return answer, err
	}
	judge := Judge{dir: dir, folder: filepath.Dir(self)}
	switch args[0] {
	case "status", "ensure", "ready":
		judge.quick = args[0] == "ready"
		for _, arch := range args[1:] {
			machine, err := binfmt.Find(arch)
			if err != nil {
				return answer, err
			}
			judged, err := judge.Look(machine)
			if err != nil {
				return answer, err
			}
			if args[0] != "status" && !judged.Good && !judged.Native {
				if err := judge.Register(machine); err != nil {
					return answer, err
				}
				answer.Made = append(answer.Made, machine.Name())
				before := judged
				if judged, err = judge.Look(machine); err != nil {
					return answer, err
				}
				judged.Instead = before.Why
			}
			answer.Machines = append(answer.Machines, judged)
		}
	case "remove":
		entries, err := dir.Entries()
		if err != nil {
			return answer, err
		}
		for _, entry := range entries {
			if entry.Ours {
				if err := dir.Remove(entry.Name); err != nil {
					return answer, err
				}
				answer.Removed = append(answer.Removed, entry.Name)
			}
		}
	default:
		return answer, fmt.Errorf("no command %q", args[0])
	}
	return answer, nil
}

// mount gives a view of binfmt_misc that ends with this process's mounts: the machine's own files stay as they are.
func mount() (binfmt.Dir, error) {
	point, err := os.MkdirTemp("", "binfmt")
	if err != nil {
		return "", err
	}
	if err := unix.Mount("binfmt_misc", point, "binfmt_misc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		switch err {
		case unix.ENODEV:
			return "", fmt.Errorf("the kernel has no binfmt_misc: load the module of that name, or build it in (CONFIG_BINFMT_MISC)")
		case unix.EPERM, unix.EACCES:
			return "", fmt.Errorf("may not mount binfmt_misc (%w): the engine has to run as root, with CAP_SYS_ADMIN", err)
		}
		return "", fmt.Errorf("mount binfmt_misc: %w", err)
	}
	dir := binfmt.Dir(point)
	enabled, err := dir.Enabled()
	if err == nil && !enabled {
		err = fmt.Errorf("binfmt_misc is switched off on this machine: write 1 to /proc/sys/fs/binfmt_misc/status")
	}
	return dir, err
}

// cat prints files: the image has no other programs, and engines are asked about their host by one of that name.
func cat(paths []string) int {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
