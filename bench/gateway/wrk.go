//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// measurement is what one proxy did in one round.
type measurement struct {
	cpu      float64 // us of user and system time per request
	rate     float64 // requests per second
	p50, p99 time.Duration
}

// measure drives a proxy for the length of a round.
func (p *plan) measure(ctx context.Context, proxy *process) (measurement, error) {
	if err := p.warm(ctx, proxy); err != nil {
		return measurement{}, err
	}
	before, err := proxy.cpu()
	if err != nil {
		return measurement{}, err
	}
	out, err := p.wrk(ctx, proxy, p.round)
	if err != nil {
		return measurement{}, err
	}
	after, err := proxy.cpu()
	if err != nil {
		return measurement{}, err
	}
	m, n, err := readWrk(out)
	m.cpu = float64((after - before).Microseconds()) / float64(n)
	return m, err
}

// warm opens the connections and lets caches and branch predictors settle.
func (p *plan) warm(ctx context.Context, proxy *process) error {
	out, err := p.wrk(ctx, proxy, 300*time.Millisecond)
	if err == nil {
		_, _, err = readWrk(out)
	}
	return err
}

func (p *plan) wrk(ctx context.Context, proxy *process, d time.Duration) (string, error) {
	program, err := find("wrk")
	if err != nil {
		return "", err
	}
	seconds := max(1, int(d.Round(time.Second)/time.Second))                                  // wrk knows no fractions
	out, err := exec.CommandContext(ctx, program, "--latency", "-t", strconv.Itoa(p.threads), //nolint:gosec // found above
		"-c", strconv.Itoa(p.connections), "-d", strconv.Itoa(seconds), "http://"+proxy.listen+"/").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run wrk: %w: %s", err, out)
	}
	return string(out), nil
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s+(\d+) requests in `)
	wrkRate     = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)`)
	wrkLatency  = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([\d.]+)(us|ms|s)\s*$`)
	wrkTrouble  = regexp.MustCompile(`(?m)^\s+(Socket errors:.*|Non-2xx.*)$`)
	errWrk      = errors.New("wrk did not print what was expected")
)

// readWrk reads wrk's report; n is the number of requests. Errors and answers
// other than 2xx make it worthless.
func readWrk(out string) (m measurement, n int64, err error) {
	if trouble := wrkTrouble.FindStringSubmatch(out); trouble != nil {
		return m, 0, fmt.Errorf("wrk reports trouble: %s", trouble[1])
	}
	requests, rate := wrkRequests.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	latencies := wrkLatency.FindAllStringSubmatch(out, -1)
	if requests == nil || rate == nil || len(latencies) != 2 {
		return m, 0, fmt.Errorf("%w: %s", errWrk, out)
	}
	if n, err = strconv.ParseInt(requests[1], 10, 64); err != nil || n == 0 {
		return m, 0, fmt.Errorf("%w: %s", errWrk, requests[0])
	}
	if m.rate, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return m, 0, err
	}
	for _, l := range latencies {
		d, err := time.ParseDuration(l[2] + l[3])
		if err != nil {
			return m, 0, err
		}
		if l[1] == "50" {
			m.p50 = d
		} else {
			m.p99 = d
		}
	}
	return m, n, nil
}
