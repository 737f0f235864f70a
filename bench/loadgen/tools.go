//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/bench/gateway/peer"
)

// job is what a tool is to do.
type job struct {
	URL            string
	Users, Threads int
	Seconds        int
	Rate           int    // requests a second, all users together; 0: as many as the target answers
	Dir            string // for files of the tool
}

// outcome is what a tool says it did.
type outcome struct {
	Good, Bad int64
	Elapsed   time.Duration
	Why       string // of a failure
}

// tool is a load generator.
type tool struct {
	name    string
	module  string // of those built from source
	open    bool   // it can keep a rate
	command func(j *job) (args []string, script string)
	read    func(j *job, out []byte) (outcome, error)
}

const (
	reference     = "wrk"
	openReference = "vegeta"
	ours          = "holdfast"
)

func tools() []tool {
	return []tool{
		{name: reference, command: wrkCommand, read: readWrk},
		{name: "h2load", open: true, command: h2loadCommand, read: readH2load},
		{name: "hey", module: "github.com/rakyll/hey", open: true, command: heyCommand, read: readHey},
		{name: openReference, module: "github.com/tsenart/vegeta/v12", open: true, command: vegetaCommand, read: readVegeta},
		{name: "k6", module: "go.k6.io/k6", open: true, command: k6Command, read: readK6},
		{name: ours, open: true, command: oursCommand, read: readOurs},
	}
}

func toolNames() []string {
	var names []string
	for _, t := range tools() {
		names = append(names, t.name)
	}
	return names
}

// find finds or builds the tool and says which version that is.
func (t *tool) find(ctx context.Context) (path, version string, err error) {
	switch {
	case t.name == ours:
		path, err = os.Executable()
		return path, "of this tree", err
	case t.module != "":
		return peer.BuildPinned(ctx, "bench/loadgen/tools/"+t.name, t.name, t.module, "")
	}
	if path, err = peer.Find(t.name); err != nil {
		return "", "", err
	}
	if t.name == "h2load" {
		version, err = peer.VersionBy(ctx, path, "--version")
	} else {
		version, err = peer.Version(ctx, path)
	}
	return path, version, err
}

var errUnread = errors.New("it did not print what was expected")

const wrkScript = `function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\nresult %d %d %d\n", summary.requests, e.connect + e.read + e.write + e.timeout + e.status, summary.duration))
end
`

func wrkCommand(j *job) (args []string, script string) {
	return []string{
		"-s", j.script(), "-t", strconv.Itoa(j.Threads), "-c", strconv.Itoa(j.Users), "-d", strconv.Itoa(j.Seconds),
		"--timeout", "10", j.URL,
	}, wrkScript
}

func (j *job) script() string  { return filepath.Join(j.Dir, "script") }
func (j *job) summary() string { return filepath.Join(j.Dir, "summary.json") }

var wrkLine = regexp.MustCompile(`(?m)^result (\d+) (\d+) (\d+)$`)

func readWrk(_ *job, out []byte) (outcome, error) {
	v, err := numbers(wrkLine, out)
	if err != nil {
		return outcome{}, err
	}
	return outcome{Good: int64(v[0] - v[1]), Bad: int64(v[1]), Elapsed: time.Duration(v[2] * 1e3)}, nil
}

// numbers are those that a pattern finds.
func numbers(pattern *regexp.Regexp, out []byte) ([]float64, error) {
	found := pattern.FindSubmatch(out)
	if found == nil {
		return nil, fmt.Errorf("%w: %.300s", errUnread, out)
	}
	var v []float64
	for _, text := range found[1:] {
		n, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errUnread, err)
		}
		v = append(v, n)
	}
	return v, nil
}

func h2loadCommand(j *job) (args []string, script string) {
	args = []string{"--h1", "-t", strconv.Itoa(j.Threads), "-c", strconv.Itoa(j.Users), "-D", strconv.Itoa(j.Seconds)}
	if j.Rate > 0 {
		args = append(args, "--rps", strconv.FormatFloat(float64(j.Rate)/float64(j.Users), 'f', 3, 64))
	}
	return append(args, j.URL), ""
}

var h2loadLine = regexp.MustCompile(`(?m)^requests: .* (\d+) succeeded, (\d+) failed`)

func readH2load(j *job, out []byte) (outcome, error) {
	v, err := numbers(h2loadLine, out)
	if err != nil {
		return outcome{}, err
	}
	return outcome{Good: int64(v[0]), Bad: int64(v[1]), Elapsed: j.length()}, nil
}

func (j *job) length() time.Duration { return time.Duration(j.Seconds) * time.Second }

func heyCommand(j *job) (args []string, script string) {
	args = []string{"-cpus", strconv.Itoa(j.Threads), "-c", strconv.Itoa(j.Users), "-z", j.length().String()}
	if j.Rate > 0 {
		args = append(args, "-q", strconv.FormatFloat(float64(j.Rate)/float64(j.Users), 'f', 3, 64))
	}
	return append(args, j.URL), ""
}

var (
	heyGood  = regexp.MustCompile(`\[200\]\s+(\d+) responses`)
	heyTotal = regexp.MustCompile(`Total:\s+([\d.]+) secs`)
	heyBad   = regexp.MustCompile(`(?m)^  \[(\d+)\]\s+.*$`)
)

func readHey(_ *job, out []byte) (o outcome, err error) {
	good, err := numbers(heyGood, out)
	if err != nil {
		return o, err
	}
	total, err := numbers(heyTotal, out)
	if err != nil {
		return o, err
	}
	o = outcome{Good: int64(good[0]), Elapsed: time.Duration(total[0] * 1e9)}
	if _, errorsOf, found := strings.Cut(string(out), "Error distribution:"); found {
		for _, line := range heyBad.FindAllStringSubmatch(errorsOf, -1) {
			n, _ := strconv.ParseInt(line[1], 10, 64) // digits
			o.Bad, o.Why = o.Bad+n, strings.TrimSpace(line[0])
		}
	}
	return o, nil
}

// vegeta reports by another process, which is not measured.
func vegetaCommand(j *job) (args []string, script string) {
	users := strconv.Itoa(j.Users)
	return []string{
		"-cpus", strconv.Itoa(j.Threads), "attack", "-rate", strconv.Itoa(j.Rate), "-workers", users, "-max-workers", users,
		"-duration", j.length().String(), "-targets", j.script(), "-output", j.summary(),
	}, "GET " + j.URL + "\n"
}

func readVegeta(_ *job, out []byte) (outcome, error) {
	var r struct {
		Requests int64            `json:"requests"`
		Codes    map[string]int64 `json:"status_codes"`
		Duration int64            `json:"duration"`
		Errors   []string         `json:"errors"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return outcome{}, fmt.Errorf("%w: %w", errUnread, err)
	}
	o := outcome{Good: r.Codes["200"], Bad: r.Requests - r.Codes["200"], Elapsed: time.Duration(r.Duration)}
	if len(r.Errors) > 0 {
		o.Why = r.Errors[0]
	}
	return o, nil
}

const k6Script = `import http from "k6/http";
export const options = { discardResponseBodies: true, scenarios: { one: %s } };
export default function () { http.get(%q); }
`

func k6Command(j *job) (args []string, script string) {
	one := fmt.Sprintf(`{ executor: "constant-vus", vus: %d, duration: "%ds" }`, j.Users, j.Seconds)
	if j.Rate > 0 {
		one = fmt.Sprintf(`{ executor: "constant-arrival-rate", rate: %d, timeUnit: "1s", duration: "%ds", preAllocatedVUs: %d }`, j.Rate, j.Seconds, j.Users)
	}
	return []string{"run", "--quiet", "--no-usage-report", "--address", "", "--summary-export", j.summary(), j.script()},
		fmt.Sprintf(k6Script, one, j.URL)
}

func readK6(_ *job, out []byte) (outcome, error) {
	var r struct {
		Metrics struct {
			Requests struct{ Count, Rate float64 } `json:"http_reqs"`
			Failed   struct{ Passes int64 }        `json:"http_req_failed"` // a rate of those that failed
		} `json:"metrics"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return outcome{}, fmt.Errorf("%w: %w", errUnread, err)
	}
	m := r.Metrics
	if m.Requests.Rate == 0 {
		return outcome{}, errUnread
	}
	return outcome{
		Good: int64(m.Requests.Count) - m.Failed.Passes, Bad: m.Failed.Passes,
		Elapsed: time.Duration(m.Requests.Count / m.Requests.Rate * 1e9),
	}, nil
}

func oursCommand(j *job) (args []string, script string) {
	text, _ := json.Marshal(j) // of numbers and strings
	return []string{generateVerb, string(text)}, ""
}

func readOurs(_ *job, out []byte) (o outcome, err error) {
	if err := json.Unmarshal(out, &o); err != nil {
		return o, fmt.Errorf("%w: %w", errUnread, err)
	}
	return o, nil
}
