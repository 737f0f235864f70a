//go:build linux

package main

import (
	"context"
	"path/filepath"
	"time"

	"holdfast/bench/gateway/load"
	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// added is the latency when nobody waits for anybody, also without a proxy and
// with a process in between that only copies: no proxy can add less.
func (r *runner) added(ctx context.Context, c *contest) error {
	if err := r.plain(ctx, c, unlogged()...); err != nil {
		return err
	}
	backend := c.backends[0]
	ports, err := peer.FreePorts(ctx, 1)
	if err != nil {
		return err
	}
	relay, err := peer.Relay(ctx, filepath.Join(c.dir, "relay"), loopback(ports[0]), backend.Listen)
	if err != nil {
		return err
	}
	c.backends = append(c.backends, relay)
	for name, process := range map[string]*peer.Process{report.Direct: backend, report.Relay: relay} {
		e := &entry{proxy: name, process: process, result: &report.Result{Case: c.name, Proxy: name}}
		r.run.Results = append(r.run.Results, e.result)
		c.entries = append(c.entries, e)
	}
	c.measure = func(ctx context.Context, e *entry) (report.Sample, error) {
		return r.open(ctx, e, 4, 1, slowRate)
	}
	return nil
}

// steady is the latency at a good part of what HAProxy can do. The tail of a
// round is made by what the machine did in it, so there are more of them.
func (r *runner) steady(ctx context.Context, c *contest) error {
	if err := r.plain(ctx, c, peer.HAProxy, peer.Nginx, peer.Holdfast); err != nil {
		return err
	}
	c.rounds *= steadyRounds
	rate := 0.0
	c.prepare = func(ctx context.Context) (err error) {
		rate, err = r.greatestRate(ctx, c)
		return err
	}
	c.measure = func(ctx context.Context, e *entry) (report.Sample, error) {
		return r.open(ctx, e, r.plan.connections, r.plan.threads, rate*steadyPart)
	}
	return nil
}

// greatestRate is what the first proxy, HAProxy, does in a closed loop: the
// best of three.
func (r *runner) greatestRate(ctx context.Context, c *contest) (rate float64, err error) {
	for _, e := range c.entries {
		if e.proxy != peer.HAProxy || e.process == nil {
			continue
		}
		for range 3 {
			s, err := r.closed(ctx, e, load.HTTP(e.process.Listen, "/", peer.SmallSize), r.plan.connections)
			if err != nil {
				return 0, err
			}
			rate = max(rate, s.Rate)
		}
		r.say("%-11s HAProxy reaches %.0f requests/s; %.0f %% of that are sent", c.name, rate, 100*steadyPart)
		return rate, nil
	}
	return 0, errNoReference
}

// open is a round at a fixed rate, after a short one that is not counted.
func (r *runner) open(ctx context.Context, e *entry, connections, threads int, rate float64) (report.Sample, error) {
	client, err := load.Connect(ctx, load.HTTP(e.process.Listen, "/", peer.SmallSize), connections, threads)
	if err != nil {
		return report.Sample{}, err
	}
	defer client.Close()
	precise := rate <= slowRate
	if _, err := client.Open(ctx, 300*time.Millisecond, rate, precise); err != nil {
		return report.Sample{}, err
	}
	before, err := e.process.CPU()
	if err != nil {
		return report.Sample{}, err
	}
	result, err := client.Open(ctx, r.plan.round, rate, precise)
	if err != nil {
		return report.Sample{}, err
	}
	after, err := e.process.CPU()
	s := sampleOf(result)
	s.CPU = float64((after - before).Microseconds()) / float64(result.Requests)
	return s, err
}
