package main

import (
	"slices"
	"testing"
)

// The folder has no go.mod of its own: go test calm.go calm_test.go
func TestCalmOnlyAfterAQuietWhileAndOnce(t *testing.T) {
	var did []int
	c := calmer{percent: func(p int) { did = append(did, p) }, release: func() { did = append(did, 0) }}
	total := uint64(0)
	step := func(times int, bytes uint64) {
		for range times {
			total += bytes
			c.look(total)
		}
	}
	step(3, busyBytes+1)
	step(quietLooks-1, busyBytes)
	if len(did) != 0 {
		t.Fatalf("too early: %v", did)
	}
	step(1, busyBytes+1)
	step(quietLooks-1, 0)
	if len(did) != 0 {
		t.Fatalf("work did not begin the while anew: %v", did)
	}
	step(10, 0)
	step(2, busyBytes*2)
	step(quietLooks, 1)
	if want := []int{calmPercent, 0, busyPercent, calmPercent, 0}; !slices.Equal(did, want) {
		t.Fatalf("%v instead of %v", did, want)
	}
}
