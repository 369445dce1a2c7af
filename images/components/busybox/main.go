// sh and env for the busybox image.
//
// The shell of Debian's busybox drops environment variables whose names are no shell names, such as data-1; the official
// image's passes them on to its children. Here sh packs them into one variable that the shell does pass on, and env and
// printenv unpack it before they show anything or start anybody.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	busybox = "/bin/busybox"
	packed  = "KCLUSTER_ODD_NAMES"
)

func main() {
	name := filepath.Base(os.Args[0])
	environment := unpack(os.Environ())
	switch strings.TrimPrefix(name, "-") {
	case "sh", "ash":
		environment = pack(environment)
	}
	// The name it was called by stays: it is the beginning of the shell's messages.
	args := os.Args
	if name == "env" || name == "printenv" {
		args = append([]string{name}, os.Args[1:]...)
	}
	err := syscall.Exec(busybox, args, environment)
	fmt.Fprintf(os.Stderr, "%s: cannot run %s: %v\n", name, busybox, err)
	os.Exit(127)
}

// pack moves the variables that a shell would drop into one that it keeps.
func pack(environment []string) []string {
	var kept, odd []string
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		if isShellName(name) {
			kept = append(kept, entry)
		} else {
			odd = append(odd, base64.StdEncoding.EncodeToString([]byte(entry)))
		}
	}
	if len(odd) > 0 {
		kept = append(kept, packed+"="+strings.Join(odd, " "))
	}
	return kept
}

func unpack(environment []string) []string {
	var all []string
	for _, entry := range environment {
		value, found := strings.CutPrefix(entry, packed+"=")
		if !found {
			all = append(all, entry)
			continue
		}
		for _, word := range strings.Fields(value) {
			if decoded, err := base64.StdEncoding.DecodeString(word); err == nil {
				all = append(all, string(decoded))
			}
		}
	}
	return all
}

func isShellName(name string) bool {
	for position, char := range name {
		letter := char == '_' || (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z')
		if !letter && (position == 0 || char < '0' || char > '9') {
			return false
		}
	}
	return name != ""
}
