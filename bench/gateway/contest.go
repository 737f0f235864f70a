//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// contest is one case: entries that are measured in interleaved rounds.
type contest struct {
	name     string
	rounds   int
	entries  []*entry
	backends []*peer.Process
	dir      string
	prepare  func(ctx context.Context) error
	measure  func(ctx context.Context, e *entry) (report.Sample, error)
}

// entry is a proxy at one size of the case.
type entry struct {
	result  *report.Result
	proxy   string
	point   int
	process *peer.Process
	paths   []string // to ask for
	dir     string
}

func (e *entry) label() string {
	if e.point == 0 {
		return e.proxy
	}
	return e.proxy + " " + strconv.Itoa(e.point)
}

// runner runs contests and tells how far it is.
type runner struct {
	plan        *plan
	programs    peer.Programs
	dir         string
	started     time.Time
	diagnostics io.Writer
	run         *report.Run
}

func (r *runner) say(format string, args ...any) {
	d := time.Since(r.started).Round(time.Second)
	fmt.Fprintf(r.diagnostics, "%2d:%02d  %s\n", d/time.Minute, d%time.Minute/time.Second, fmt.Sprintf(format, args...))
}

// enter adds an entry and starts its proxy; one that does not start is missing.
func (r *runner) enter(ctx context.Context, c *contest, e *entry, t peer.Topology) {
	e.result = &report.Result{Case: c.name, Point: e.point, Proxy: e.proxy}
	r.run.Results = append(r.run.Results, e.result)
	ports, err := peer.FreePorts(ctx, 1)
	if err != nil {
		r.miss(c, e, err)
		return
	}
	e.dir = filepath.Join(c.dir, fmt.Sprintf("%d", len(c.entries)))
	t.Dir, t.Threads, t.Listen = e.dir, r.plan.threads, loopback(ports[0])
	c.entries = append(c.entries, e)
	if e.process, err = r.programs.Start(ctx, e.proxy, t); err != nil {
		r.miss(c, e, err)
	}
}

func (r *runner) miss(c *contest, e *entry, err error) {
	e.result.Missing, _, _ = strings.Cut(err.Error(), "\n")
	r.say("%-11s %-20s missing: %v", c.name, e.label(), err)
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// play runs all rounds. Only an end of ctx is an error.
func (r *runner) play(ctx context.Context, c *contest) error {
	defer c.stop()
	if c.prepare != nil {
		if err := c.prepare(ctx); err != nil {
			r.missAll(c, err)
			return ctx.Err()
		}
	}
	for round := range c.rounds {
		for i := range c.entries {
			e := c.entries[(i+round)%len(c.entries)] // nobody is always the first
			if e.result.Missing != "" {
				continue
			}
			s, err := r.sample(ctx, c, e)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				r.miss(c, e, fmt.Errorf("round %d: %w", round+1, err))
				continue
			}
			e.result.Rounds = append(e.result.Rounds, s)
			r.say("%-11s %d/%d %-17s %s", c.name, round+1, c.rounds, e.label(), s)
		}
	}
	return nil
}

func (r *runner) missAll(c *contest, err error) {
	for _, e := range c.entries {
		if e.result.Missing == "" {
			r.miss(c, e, err)
		}
	}
}

// sample measures once, and once more when that failed: a machine may hiccup.
func (r *runner) sample(ctx context.Context, c *contest, e *entry) (report.Sample, error) {
	s, err := c.observed(ctx, e)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	r.say("%-11s %-20s again, for %v", c.name, e.label(), err)
	select {
	case <-ctx.Done():
	case <-time.After(2 * time.Second):
	}
	return c.observed(ctx, e)
}

// observed measures and says what the machine did besides.
func (c *contest) observed(ctx context.Context, e *entry) (report.Sample, error) {
	before, err := observe(c, e)
	if err != nil {
		return report.Sample{}, err
	}
	s, err := c.measure(ctx, e)
	if err != nil {
		return s, err
	}
	after, err := observe(c, e)
	if err != nil {
		return s, err
	}
	s.Others = others(before, after)
	s.Load, err = loadAverage()
	return s, err
}

// stop ends the proxies, all at once for some take a while, then the backends.
func (c *contest) stop() {
	var ending sync.WaitGroup
	for _, e := range c.entries {
		if e.process != nil && !slices.Contains(c.backends, e.process) {
			ending.Go(e.process.Stop)
		}
	}
	ending.Wait()
	for _, b := range c.backends {
		b.Stop()
	}
}
