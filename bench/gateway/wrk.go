//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// wrk is a way to call it.
type wrk struct {
	connections, threads int
	url                  string // without path
	paths                []string
	post                 int  // bytes of a request's body; 0: GET
	fresh                bool // a new connection per request
}

// done prints one line for us. Latencies are in microseconds.
const done = `
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\nresult %d %d %d %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout + e.status,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
`

// script returns the Lua that makes the requests. Paths are taken in turn; a
// single one needs no code per request.
func (w *wrk) script() string {
	var b strings.Builder
	if w.post > 0 {
		fmt.Fprintf(&b, "wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", %d)\n", w.post)
	}
	if w.fresh {
		b.WriteString("wrk.headers[\"Connection\"] = \"close\"\n")
	}
	if len(w.paths) > 1 {
		fmt.Fprintf(&b, "local list, at = {}, 0\nfunction init(args)\n  for _, path in ipairs({%s}) do list[#list+1] = wrk.format(nil, path) end\nend\n",
			`"`+strings.Join(w.paths, `", "`)+`"`)
		b.WriteString("function request()\n  at = at % #list + 1\n  return list[at]\nend\n")
	}
	b.WriteString(done)
	return b.String()
}

// run drives for d, a whole number of seconds, and returns the number of
// requests with the rate and the latencies.
func (w *wrk) run(ctx context.Context, dir string, d time.Duration) (report.Sample, int64, error) {
	program, err := peer.Find("wrk")
	if err != nil {
		return report.Sample{}, 0, err
	}
	script := filepath.Join(dir, "wrk.lua")
	if err := os.WriteFile(script, []byte(w.script()), 0o600); err != nil {
		return report.Sample{}, 0, err
	}
	out, err := exec.CommandContext(ctx, program, "-s", script, "-t", strconv.Itoa(w.threads), //nolint:gosec // found above
		"-c", strconv.Itoa(w.connections), "-d", strconv.Itoa(int(d/time.Second)), "--timeout", "10", w.url+w.paths[0]).CombinedOutput()
	if err != nil {
		return report.Sample{}, 0, fmt.Errorf("run wrk: %w: %s", err, out)
	}
	return readWrk(string(out))
}

var (
	wrkResult = regexp.MustCompile(`(?m)^result (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$`)
	errWrk    = errors.New("wrk did not print what was expected")
	errFailed = errors.New("wrk reports failed requests")
)

// readWrk reads what done prints. One failed request makes it worthless.
func readWrk(out string) (s report.Sample, n int64, err error) {
	fields := wrkResult.FindStringSubmatch(out)
	if fields == nil {
		return s, 0, fmt.Errorf("%w: %s", errWrk, out)
	}
	var v [6]int64
	for i := range v {
		if v[i], err = strconv.ParseInt(fields[i+1], 10, 64); err != nil {
			return s, 0, fmt.Errorf("%w: %w", errWrk, err)
		}
	}
	switch {
	case v[0] == 0 || v[1] == 0:
		return s, 0, fmt.Errorf("%w: %s", errWrk, fields[0])
	case v[2] > 0:
		return s, 0, fmt.Errorf("%w: %d of %d", errFailed, v[2], v[0])
	}
	s = report.Sample{
		Rate: float64(v[0]) / (float64(v[1]) / 1e6),
		P50:  float64(v[3]), P99: float64(v[4]), P999: float64(v[5]),
	}
	return s, v[0], nil
}
