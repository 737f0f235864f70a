// Package report holds what a run of bench/gateway measured and shows it: as
// tables for a terminal, as JSON, and as the measured part of
// docs/performance.md with its chart.
//
// A run keeps the samples of every round. All figures that are shown are made
// from them here: medians over the rounds, and ratios as the median of the
// ratios within each round, because proxies of one round met the same machine.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Names of the cases. What each does is in the package comment of bench/gateway.
const (
	Get         = "get"
	Get10K      = "get-10k"
	Get1M       = "get-1m"
	Post10K     = "post-10k"
	TLS         = "tls"
	Connect     = "connect"
	WebSocket   = "websocket"
	Idle        = "idle"
	Busy        = "busy"
	Instances   = "instances"
	Functions   = "functions"
	Connections = "connections"
	Added       = "added"
	Steady      = "steady"
)

// Names of what a comparison refers to besides proxies: Direct is nothing in
// between, Relay a process that only copies bytes.
const (
	Reference = "haproxy"
	Ours      = "holdfast"
	Direct    = "direct"
	Relay     = "bare relay"
)

// Cases lists them in the order in which they are measured and shown.
func Cases() []string {
	return []string{
		Get, Get10K, Get1M, Post10K, TLS, Connect, WebSocket, Idle, Busy, Instances, Functions, Connections, Added, Steady,
	}
}

// Run is one run of the bench.
type Run struct {
	Started     time.Time         `json:"started"`
	Took        float64           `json:"took_s"`
	Machine     string            `json:"machine"`
	Programs    map[string]string `json:"programs"` // versions by name
	Rounds      int               `json:"rounds"`
	Seconds     float64           `json:"seconds"` // of one proxy's part of a round
	Connections int               `json:"connections"`
	Threads     int               `json:"threads"`
	Results     []*Result         `json:"results"`
}

// Result is a proxy in a case.
type Result struct {
	Case    string   `json:"case"`
	Point   int      `json:"point,omitempty"` // of a case that grows: how many instances, functions or connections
	Proxy   string   `json:"proxy"`
	Missing string   `json:"missing,omitempty"` // why it could not be measured, or not to the end
	Rounds  []Sample `json:"rounds"`
}

// Sample is one round. What a case does not measure is 0.
type Sample struct {
	CPU    float64 `json:"cpu_us"`      // user and system time of the proxy's processes per request, us
	Rate   float64 `json:"rate"`        // requests per second
	P50    float64 `json:"p50_us"`      // latencies, us
	P99    float64 `json:"p99_us"`      //
	P999   float64 `json:"p999_us"`     //
	Memory float64 `json:"memory_mib"`  // proportional set size of the proxy's processes
	Load   float64 `json:"load"`        // load average of the last minute, after the round
	Others float64 `json:"others_part"` // part of the machine's processors that others had, 0 to 1
}

// Find returns a result, nil when there is none.
func (r *Run) Find(name string, point int, proxy string) *Result {
	for _, result := range r.Results {
		if result.Case == name && result.Point == point && result.Proxy == proxy {
			return result
		}
	}
	return nil
}

// Write writes the run as JSON.
func (r *Run) Write(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Read reads what Write wrote.
func Read(in io.Reader) (*Run, error) {
	r := &Run{}
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("read a run: %w", err)
	}
	return r, nil
}
