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
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
