package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// needed are the checks without which kubelet, etcd, the API server or CoreDNS would not work.
func needed() []check {
	return []check{
		{"machine", true, machine},
		{"exec", true, execItself},
		{"argv0", true, argv0},
		{"fork", true, forkMany},
		{"signals", true, signals},
		{"threads", true, threads},
		{"memory", true, memory},
		{"files", true, files},
		{"inotify", true, inotify},
		{"tcp", true, func() error { return stream("tcp", "127.0.0.1:0") }},
		{"unix sockets", true, func() error { return stream("unix", "@kcluster-probe-"+rand.Text()) }},
		{"udp", true, datagrams},
		{"network interfaces", true, interfaces},
		{"time", true, clocks},
		{"cryptography", true, cryptography},
		{"proc", true, proc},
	}
}

// child is what a copy of this program does that a check started.
func child(how string) int {
	switch strings.TrimPrefix(how, "child:") {
	case "name":
		fmt.Println(os.Args[0])
	case "third":
		fmt.Println("third")
	case "again":
		output, err := itself("child:third").Output()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Stdout.Write(output)
	case "wait":
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "seven":
		return 7
	case "nothing":
	}
	return 0
}

// limit is far above what any of it takes; a hang is an answer too.
const limit = 20 * time.Second

func itself(args ...string) *exec.Cmd {
	return exec.Command("/proc/self/exe", args...)
}

// within runs something that may hang.
func within(work func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- work() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(limit):
		return fmt.Errorf("hangs: not done after %s", limit)
	}
}

// machine compares what the kernel seems to be with what this program was built for.
func machine() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	want := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if want == "" {
		want = runtime.GOARCH
	}
	if have := unix.ByteSliceToString(name.Machine[:]); have != want {
		return fmt.Errorf("uname says %s, not %s", have, want)
	}
	number := uint16(1)
	big := *(*byte)(unsafe.Pointer(&number)) == 0
	if big != (runtime.GOARCH == "s390x") {
		return errors.New("wrong byte order")
	}
	return nil
}

// execItself: a foreign program starts another, which starts a third.
func execItself() error {
	return within(func() error {
		for range 3 {
			output, err := itself("child:again").Output()
			if err != nil {
				return fmt.Errorf("%w %s", err, stderr(err))
			}
			if string(output) != "third\n" {
				return fmt.Errorf("printed %q", output)
			}
		}
		return nil
	})
}

func stderr(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}

// argv0: programs that are many in one choose by it.
func argv0() error {
	return within(func() error {
		command := itself()
		command.Args = []string{"another-name", "child:name"}
		output, err := command.Output()
		if err != nil {
			return fmt.Errorf("%w %s", err, stderr(err))
		}
		if name := strings.TrimSpace(string(output)); name != "another-name" {
			return fmt.Errorf("is lost: the program sees %q", name)
		}
		return nil
	})
}

// forkMany: kubelet's probes and runtimes start many at once, and want to know how each ended.
func forkMany() error {
	return within(func() error {
		const count = 8
		answers := make(chan error, count)
		for range count {
			go func() {
				err := itself("child:seven").Run()
				if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 7 {
					err = nil
				} else if err == nil {
					err = errors.New("a child's exit code is lost")
				}
				answers <- err
			}()
		}
		var failed error
		for range count {
			failed = errors.Join(failed, <-answers)
		}
		return failed
	})
}

func signals() error {
	return within(func() error {
		received := make(chan os.Signal, 1)
		signal.Notify(received, unix.SIGUSR1)
		defer signal.Stop(received)
		if err := unix.Kill(os.Getpid(), unix.SIGUSR1); err != nil {
			return err
		}
		<-received
		command := itself("child:wait")
		input, err := command.StdinPipe()
		if err != nil {
			return err
		}
		defer input.Close()
		if err := command.Start(); err != nil {
			return err
		}
		if err := command.Process.Kill(); err != nil {
			return err
		}
		_ = command.Wait()
		status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
		if !ok || !status.Signaled() || status.Signal() != unix.SIGKILL {
			return fmt.Errorf("a killed child ended with %v", command.ProcessState)
		}
		return nil
	})
}

// threads: locks and condition variables between more threads than processors.
func threads() error {
	return within(func() error {
		const count, rounds = 16, 500
		var group sync.WaitGroup
		var lock sync.Mutex
		sum := 0
		for range count {
			group.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				for range rounds {
					lock.Lock()
					sum++
					lock.Unlock()
				}
			})
		}
		group.Wait()
		if sum != count*rounds {
			return fmt.Errorf("counted %d instead of %d", sum, count*rounds)
		}
		return nil
	})
}

// memory: anonymous and shared maps, grown, protected and given back.
// files: what etcd's log and kubelet's state do with them.
// stream: a server and a client, more than one packet each way.
// interfaces asks the kernel through a netlink socket.
// cryptography: these use instructions of the machine's own, which an emulator may get wrong.
// proc: an emulator has to stand in for these files.
