// Command probe tries what the programs of a node do, and tells how each attempt ended. Built for a foreign
// architecture, it says what the emulator that runs it can and cannot do; built for the machine's own, it says what
// the kernel itself would have answered.
//
// Each check is announced before it is tried, so that one that kills the emulator is known by name; the caller
// then goes on with the next (`--from N`).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"kcluster.dev/components/emulator/report"
)

// check is one attempt; nil is success.
type check struct {
	name   string
	needed bool
	try    func() error
}

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "child:") {
		os.Exit(child(os.Args[1]))
	}
	from := flag.Int("from", 0, "begin with this check")
	only := flag.String("only", "", "names of checks, with commas; all if empty")
	hold := flag.Bool("hold", false, "wait for the end of standard input, to be looked at")
	flag.Parse()
	if *hold {
		buffer := make([]byte, 1)
		_, _ = os.Stdin.Read(buffer)
		return
	}
	out := json.NewEncoder(os.Stdout)
	checks := append(needed(), offered()...)
	if *only != "" {
		names := strings.Split(*only, ",")
		checks = slices.DeleteFunc(checks, func(c check) bool { return !slices.Contains(names, c.name) })
	}
	for _, check := range checks[min(*from, len(checks)):] {
		if out.Encode(report.Line{Begin: check.name, Needed: check.needed}) != nil {
			os.Exit(1)
		}
		begun := time.Now()
		answer := report.OK
		if err := attempt(check); err != nil {
			answer = err.Error()
		}
		took := time.Since(begun).Milliseconds()
		if out.Encode(report.Line{Check: check.name, Needed: check.needed, Answer: answer, Took: took}) != nil {
			os.Exit(1)
		}
	}
}

// A check that panics is a check that failed.
func attempt(c check) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return c.try()
}
