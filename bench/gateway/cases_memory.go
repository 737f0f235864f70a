//go:build linux

package main

import (
	"context"
	"slices"
	"time"

	"holdfast/bench/gateway/load"
	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// idle is the memory of a proxy that holds connections which have been served
// once. It is a fresh process, so one round says it.
func (r *runner) idle(ctx context.Context, c *contest) error {
	c.rounds = 1
	c.measure = func(ctx context.Context, e *entry) (s report.Sample, err error) {
		if err := check(ctx, c, e, "/"); err != nil {
			return s, err
		}
		client, err := load.Idle(ctx, load.HTTP(e.process.Listen, "/", peer.SmallSize), idleConnections)
		if err != nil {
			return s, err
		}
		defer client.Close()
		if err := pause(ctx, 3*time.Second); err != nil {
			return s, err
		}
		used, err := e.process.Memory()
		s.Memory = mib(used)
		return s, err
	}
	return r.plain(ctx, c, unlogged()...)
}

// busy is the most memory a proxy has while many connections ask at once.
func (r *runner) busy(ctx context.Context, c *contest) error {
	c.rounds = 1
	c.measure = func(ctx context.Context, e *entry) (report.Sample, error) {
		if err := check(ctx, c, e, "/"); err != nil {
			return report.Sample{}, err
		}
		w := wrk{connections: busyConnections, threads: r.plan.threads, url: "http://" + e.process.Listen, paths: []string{"/"}}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		watched := make(chan int64)
		go func() { watched <- greatest(ctx, e.process) }()
		s, err := r.wrkSample(ctx, e, w)
		cancel()
		s.Memory = mib(<-watched)
		return s, err
	}
	return r.plain(ctx, c, unlogged()...)
}

// unlogged are the proxies but for the one with an access log, which shows
// nothing in some cases.
func unlogged() []string {
	return slices.DeleteFunc(peer.Names(), func(name string) bool { return name == peer.HoldfastLogged })
}

// greatest watches the memory of p until ctx ends.
func greatest(ctx context.Context, p *peer.Process) (most int64) {
	for {
		if used, err := p.Memory(); err == nil { // a child may end while it is looked at
			most = max(most, used)
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return most
		}
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
