package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
func memory() error {
	const size = 64 << 20
	anonymous, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	for i := 0; i < size; i += 4096 {
		anonymous[i] = byte(i >> 12)
	}
	for i := 0; i < size; i += 4096 {
		if anonymous[i] != byte(i>>12) {
			return errors.New("what was written is not there")
		}
	}
	if err := unix.Mprotect(anonymous, unix.PROT_READ); err != nil {
		return fmt.Errorf("mprotect: %w", err)
	}
	if err := unix.Munmap(anonymous); err != nil {
		return fmt.Errorf("munmap: %w", err)
	}
	file, err := os.CreateTemp("", "probe")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	// etcd maps its database longer than the file is.
	if err := file.Truncate(1 << 20); err != nil {
		return err
	}
	shared, err := unix.Mmap(int(file.Fd()), 0, 4<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap of a file: %w", err)
	}
	copy(shared[4096:], "here")
	if err := unix.Msync(shared[:1<<20], unix.MS_SYNC); err != nil {
		return fmt.Errorf("msync: %w", err)
	}
	text := make([]byte, 4)
	if _, err := file.ReadAt(text, 4096); err != nil || string(text) != "here" {
		return fmt.Errorf("the file holds %q: %w", text, err)
	}
	return unix.Munmap(shared)
}

// files: what etcd's log and kubelet's state do with them.
func files() error {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "a")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	if err := unix.Fallocate(int(file.Fd()), 0, 0, 1<<16); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("fallocate: %w", err)
	}
	if _, err := file.WriteString("text"); err != nil {
		return err
	}
	if err := unix.Fdatasync(int(file.Fd())); err != nil {
		return fmt.Errorf("fdatasync: %w", err)
	}
	if err := os.Rename(path, filepath.Join(dir, "b")); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, "b"))
	if err != nil {
		return err
	}
	if info.Mode().Perm() != 0o640 || time.Since(info.ModTime()).Abs() > time.Hour {
		return fmt.Errorf("a new file has mode %o and time %s", info.Mode(), info.ModTime())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		return fmt.Errorf("a folder of one file lists %d: %w", len(entries), err)
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil || disk.Bsize <= 0 {
		return fmt.Errorf("statfs says blocks of %d: %w", disk.Bsize, err)
	}
	return nil
}

func inotify() error {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, dir, unix.IN_CREATE); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "seen"), nil, 0o600); err != nil {
		return err
	}
	buffer := make([]byte, 4096)
	n, err := unix.Read(watch, buffer)
	if err != nil {
		return err
	}
	if n < unix.SizeofInotifyEvent {
		return fmt.Errorf("an event of %d bytes", n)
	}
	event := (*unix.InotifyEvent)(unsafe.Pointer(&buffer[0]))
	name := unix.ByteSliceToString(buffer[unix.SizeofInotifyEvent:n])
	if event.Mask&unix.IN_CREATE == 0 || name != "seen" {
		return fmt.Errorf("event %x of %q", event.Mask, name)
	}
	return nil
}

// stream: a server and a client, more than one packet each way.
func stream(network, address string) error {
	return within(func() error {
		listener, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		defer listener.Close()
		served := make(chan error, 1)
		go func() {
			connection, err := listener.Accept()
			if err == nil {
				_, err = io.Copy(connection, connection)
				err = errors.Join(err, connection.Close())
			}
			served <- err
		}()
		connection, err := net.Dial(network, listener.Addr().String())
		if err != nil {
			return err
		}
		defer connection.Close()
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		go func() {
			_, _ = connection.Write(sent)
			if half, ok := connection.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}()
		received, err := io.ReadAll(connection)
		if err != nil {
			return err
		}
		if string(received) != string(sent) {
			return fmt.Errorf("%d bytes came back of %d, or others", len(received), len(sent))
		}
		return <-served
	})
}

func datagrams() error {
	return within(func() error {
		server, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		client, err := net.Dial("udp", server.LocalAddr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		if _, err := client.Write([]byte("ask")); err != nil {
			return err
		}
		buffer := make([]byte, 16)
		n, from, err := server.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if string(buffer[:n]) != "ask" || from.String() != client.LocalAddr().String() {
			return fmt.Errorf("%q from %s", buffer[:n], from)
		}
		return nil
	})
}

// interfaces asks the kernel through a netlink socket.
func interfaces() error {
	list, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.Flags&net.FlagLoopback != 0 {
			addresses, err := one.Addrs()
			if err == nil && len(addresses) == 0 && one.Flags&net.FlagUp != 0 {
				err = errors.New("loopback without an address")
			}
			return err
		}
	}
	return errors.New("no loopback among them")
}

func clocks() error {
	begun := time.Now()
	time.Sleep(20 * time.Millisecond)
	if passed := time.Since(begun); passed < 20*time.Millisecond || passed > limit {
		return fmt.Errorf("20 ms took %s", passed)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return err
	}
	if begun.Year() < 2024 {
		return fmt.Errorf("the year is %d", begun.Year())
	}
	return nil
}

// cryptography: these use instructions of the machine's own, which an emulator may get wrong.
func cryptography() error {
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if sum := sha256.Sum256([]byte("abc")); hex.EncodeToString(sum[:]) != abc {
		return fmt.Errorf("SHA-256 of abc is %x", sum)
	}
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return err
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	// The second test vector of the mode's specification.
	const sealed = "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"
	if got := hex.EncodeToString(sealer.Seal(nil, make([]byte, 12), make([]byte, 16), nil)); got != sealed {
		return fmt.Errorf("AES-GCM gives %s", got)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("text"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
		return errors.New("an ECDSA signature does not verify")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if !ed25519.Verify(public, []byte("text"), ed25519.Sign(private, []byte("text"))) {
		return errors.New("an Ed25519 signature does not verify")
	}
	return nil
}

// proc: an emulator has to stand in for these files.
func proc() error {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	if !strings.Contains(path, "probe") {
		return fmt.Errorf("/proc/self/exe is %s", path)
	}
	line, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(string(line), "\x00"); first != os.Args[0] {
		return fmt.Errorf("/proc/self/cmdline begins with %q, not %q", first, os.Args[0])
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil || !strings.Contains(string(maps), "r-xp") {
		return fmt.Errorf("/proc/self/maps holds no code: %w", err)
	}
	return nil
}
