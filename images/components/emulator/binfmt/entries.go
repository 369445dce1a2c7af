package binfmt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// Dir is binfmt_misc, mounted somewhere.
type Dir string

// Entry is one registration.
type Entry struct {
	Name        string `json:"name"`
	Enabled     bool   `json:"enabled"`
	Interpreter string `json:"interpreter"`
	Flags       string `json:"flags"`
	// Ours says that kcluster made it.
	Ours   bool `json:"ours"`
	offset int
	magic  []byte
	mask   []byte
}

// Matches says whether the kernel takes this entry's interpreter for a file that begins like that.
func (e Entry) Matches(head []byte) bool {
	if !e.Enabled || len(e.magic) == 0 || len(head) < e.offset+len(e.magic) {
		return false
	}
	for i, want := range e.magic {
		have := head[e.offset+i]
		if i < len(e.mask) {
			have, want = have&e.mask[i], want&e.mask[i]
		}
		if have != want {
			return false
		}
	}
	return true
}

// Parse reads the text that binfmt_misc shows of a registration.
func Parse(name, text string) (Entry, error) {
	entry := Entry{Name: name, Ours: strings.HasPrefix(name, Prefix)}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		switch key {
		case "enabled":
			entry.Enabled = true
		case "interpreter":
			entry.Interpreter = value
		case "flags:":
			entry.Flags = value
		case "offset":
			entry.offset, err = strconv.Atoi(value)
		case "magic":
			entry.magic, err = hex.DecodeString(value)
		case "mask":
			entry.mask, err = hex.DecodeString(value)
		}
		if err != nil || entry.offset < 0 {
			return Entry{}, fmt.Errorf("registration %s: cannot read %q: %v", name, strings.TrimSpace(line), err)
		}
	}
	return entry, nil
}

// Enabled says whether the kernel looks at registrations at all.
func (d Dir) Enabled() (bool, error) {
	text, err := os.ReadFile(d.path("status"))
	return strings.TrimSpace(string(text)) == "enabled", err
}

// Entries are all registrations, by name.
func (d Dir) Entries() ([]Entry, error) {
	files, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, file := range files {
		name := file.Name()
		if name == "register" || name == "status" {
			continue
		}
		text, err := os.ReadFile(d.path(name))
		if errors.Is(err, os.ErrNotExist) {
			// It was removed meanwhile.
			continue
		}
		if err != nil {
			return nil, err
		}
		entry, err := Parse(name, string(text))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	return entries, nil
}

// Register makes our registration of a machine; one of ours that is there already is replaced.
func (d Dir) Register(machine Machine, interpreter string) error {
	if err := d.Remove(machine.Name()); err != nil {
		return err
	}
	err := d.write("register", machine.Line(interpreter))
	if errors.Is(err, syscall.EEXIST) {
		// Another process of ours was quicker.
		return nil
	}
	return err
}

// Remove removes a registration of ours; no error if there is none.
func (d Dir) Remove(name string) error {
	if !strings.HasPrefix(name, Prefix) {
		return fmt.Errorf("registration %s is not kcluster's to remove", name)
	}
	err := d.write(name, "-1")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// write writes to a file that must be there: this is no file system to make files in.
func (d Dir) write(name, text string) error {
	file, err := os.OpenFile(d.path(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

func (d Dir) path(name string) string {
	return filepath.Join(string(d), name)
}

// Head reads as much of a file as the kernel looks at.
func Head(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var head bytes.Buffer
	buffer := make([]byte, 256)
	n, err := file.Read(buffer)
	head.Write(buffer[:n])
	return head.Bytes(), err
}
