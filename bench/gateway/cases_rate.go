//go:build linux

package main

import (
	"context"
	"time"

	"holdfast/bench/gateway/load"
	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// added is the latency when nobody waits for anybody, also without a proxy.
func (r *runner) added(ctx context.Context, c *contest) error {
	if err := r.plain(ctx, c, unlogged()...); err != nil {
		return err
	}
	direct := &entry{proxy: report.Direct, process: c.backends[0], result: &report.Result{Case: c.name, Proxy: report.Direct}}
	r.run.Results = append(r.run.Results, direct.result)
	c.entries = append(c.entries, direct)
	c.measure = func(ctx context.Context, e *entry) (report.Sample, error) {
		return r.open(ctx, e, 4, 1, slowRate)
	}
	return nil
}

// steady is the latency at a good part of what HAProxy can do.
func (r *runner) steady(ctx context.Context, c *contest) error {
	if err := r.plain(ctx, c, peer.HAProxy, peer.Nginx, peer.Holdfast); err != nil {
		return err
	}
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
