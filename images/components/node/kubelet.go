package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What kubeadm writes before it expects a kubelet.
const (
	kubeletConfig = "/var/lib/kubelet/config.yaml"
	kubeletFlags  = "/var/lib/kubelet/kubeadm-flags.env"
	// The user's own flags, as kubeadm's packages read them too.
	kubeletExtra = "/etc/default/kubelet"
	// A kubelet that was put into the node in place of the image's.
	kubeletOther = "/var/lib/kcluster/bin/kubelet"
)

func kubeletService(n *node) service {
	return service{
		name: "kubelet",
		log:  logDir + "kubelet.log",
		gate: func(ctx context.Context) error {
			if err := waitForFiles(ctx, kubeletConfig, kubeletFlags); err != nil {
				return err
			}
			// A kubelet without a runtime gives up; do not make it start in vain.
			return until(ctx, probeInterval, criReady)
		},
		argv: func() ([]string, error) {
			argv, err := kubeletArgs(n.comeback.alone(n.config.Role), kubeletFlags, kubeletExtra)
			if err == nil {
				argv[0] = kubeletProgram(kubeletOther)
			}
			return argv, err
		},
	}
}

// kubeletProgram is the image's kubelet, or the one that was put in its place.
func kubeletProgram(other string) string {
	if _, err := os.Stat(other); err == nil {
		return other
	}
	return "kubelet"
}

// aloneFolder is in memory: nothing there outlives the kubelet that is alone.
const aloneFolder = "/run/kcluster/kubelet"

// kubeletArgs is the command of kubeadm's systemd unit. A kubelet that is alone
// knows no API server, not even to ask it who may ask the kubelet: only those
// with a certificate may then. It also has a folder of its own: to one that
// knows only static pods, the volumes of all others are left over, and it
// would remove them.
func kubeletArgs(alone bool, flagsFile, extraFile string) ([]string, error) {
	argv := []string{"kubelet", "--config=" + kubeletConfig}
	if alone {
		argv = append(argv,
			"--authentication-token-webhook=false",
			"--authorization-mode=AlwaysAllow",
			"--root-dir="+aloneFolder,
		)
	} else {
		argv = append(argv,
			"--kubeconfig=/etc/kubernetes/kubelet.conf",
			"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
		)
	}
	sources := []struct {
		file, variable string
		optional       bool
	}{{flagsFile, "KUBELET_KUBEADM_ARGS", false}, {extraFile, "KUBELET_EXTRA_ARGS", true}}
	for _, s := range sources {
		data, err := os.ReadFile(s.file)
		if s.optional && os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		words, err := envWords(string(data), s.variable)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.file, err)
		}
		argv = append(argv, words...)
	}
	return argv, nil
}

// envWords finds a variable in an environment file and splits its value into
// words. The value is quoted once for the file and may hold quoted words.
func envWords(text, variable string) ([]string, error) {
	for line := range strings.Lines(text) {
		value, found := strings.CutPrefix(strings.TrimSpace(line), variable+"=")
		if !found {
			continue
		}
		whole, err := splitWords(value)
		if err != nil {
			return nil, err
		}
		return splitWords(strings.Join(whole, " "))
	}
	return nil, nil
}

// splitWords splits as a shell does: blanks, single and double quotes, and
// backslashes, but no expansions.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, escaped, quote := false, false, rune(0)
	for _, c := range text {
		switch {
		case escaped:
			// Between double quotes a backslash only guards these.
			if quote == '"' && !strings.ContainsRune("\"\\$`", c) {
				word.WriteRune('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("unfinished quote in %q", text)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// waitForFiles blocks until all files, of one directory, exist and hold
// something. It watches the directory for files that were closed or moved in.
func waitForFiles(ctx context.Context, files ...string) error {
	dir := filepath.Dir(files[0])
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("inotify: %w", err)
	}
	// Non-blocking, so Go's poller reads it and a deadline can interrupt.
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO); err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	defer context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Now()) })()
	buf := make([]byte, 4096)
	for !allFilled(files) {
		if _, err := events.Read(buf); err != nil {
			return err
		}
	}
	return nil
}

func allFilled(files []string) bool {
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() == 0 {
			return false
		}
	}
	return true
}
