// Package report is what a probe tells of the machine it believes to run on.
package report

// Line is one line of a probe's output: a check that begins, or one that ended.
type Line struct {
	// Begin names the check that is tried now; if the process dies, this one killed it.
	Begin string `json:"begin,omitempty"`
	// Check names the check that ended.
	Check string `json:"check,omitempty"`
	// Needed says that nodes cannot do without it.
	Needed bool `json:"needed,omitempty"`
	// Answer is "ok", or what the machine said.
	Answer string `json:"answer,omitempty"`
	// Took is in milliseconds.
	Took int64 `json:"took,omitempty"`
}

// OK is the answer of a check that passed.
const OK = "ok"
