package main

import (
	"encoding/json"
	"io"
	"math"
	"sync"
	"time"
)

// event is one line of the node's story, read with the engine's logs command.
type event struct {
	Time   string  `json:"time"`
	Event  string  `json:"event"`
	Detail string  `json:"detail,omitempty"`
	Millis float64 `json:"ms,omitempty"`
	Pid    int     `json:"pid,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// journal writes events as JSON lines; many goroutines may use it.
type journal struct {
	mu  sync.Mutex
	out io.Writer
}

func (j *journal) write(e event) {
	e.Time = time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	line, err := json.Marshal(e)
	if err != nil {
		return // an event holds strings and numbers only: it always encodes
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	// Nobody is left to tell when the engine does not take the line.
	_, _ = j.out.Write(append(line, '\n'))
}

// say notes that something happened.
func (j *journal) say(name, detail string) { j.write(event{Event: name, Detail: detail}) }

// warn notes what went wrong without stopping the node.
func (j *journal) warn(detail string, err error) {
	j.write(event{Event: "warning", Detail: detail, Error: err.Error()})
}

// millis is a duration for people: milliseconds with two decimals.
func millis(d time.Duration) float64 {
	return math.Round(float64(d.Microseconds())/10) / 100
}
