//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"holdfast/bench/gateway/load"
	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// Sizes that the cases have.
const (
	idleConnections = 10_000
	busyConnections = 1000
	messageSize     = 512
	slowRate        = 100 // requests per second of the case added
	steadyPart      = 0.7 // of HAProxy's greatest rate
	steadyRounds    = 3   // times as many as the other cases have
)

// arrange starts the backends and proxies of a case and says how to measure.
func (r *runner) arrange(ctx context.Context, c *contest) error {
	switch c.name {
	case report.Get:
		return r.requests(ctx, c, wrk{paths: []string{"/"}})
	case report.Get10K:
		return r.requests(ctx, c, wrk{paths: []string{peer.TenKPath}})
	case report.Get1M:
		return r.requests(ctx, c, wrk{paths: []string{peer.OneMPath}})
	case report.Post10K:
		return r.requests(ctx, c, wrk{paths: []string{"/"}, post: 10 << 10})
	case report.TLS:
		return r.requests(ctx, c, wrk{paths: []string{"/"}})
	case report.Connect:
		return r.requests(ctx, c, wrk{paths: []string{"/"}, fresh: true})
	case report.WebSocket:
		return r.webSocket(ctx, c)
	case report.Idle:
		return r.idle(ctx, c)
	case report.Busy:
		return r.busy(ctx, c)
	case report.Instances, report.Functions, report.Connections:
		return r.growth(ctx, c)
	case report.Added:
		return r.added(ctx, c)
	case report.Steady:
		return r.steady(ctx, c)
	default:
		return fmt.Errorf("case %q is not known", c.name)
	}
}

// backend starts an nginx on n addresses and returns them: two ports of one
// address, or one port of n addresses of the loopback network.
func (r *runner) backend(ctx context.Context, c *contest, n int) ([]string, error) {
	ports, err := peer.FreePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	at := []string{loopback(ports[0]), loopback(ports[1])}
	if n != 2 {
		at = at[:0]
		for i := range n {
			at = append(at, fmt.Sprintf("127.0.%d.%d:%d", 1+i/250, 1+i%250, ports[0]))
		}
	}
	b, err := r.programs.Backend(ctx, filepath.Join(c.dir, "backend"), r.plan.threads, at)
	if err != nil {
		return nil, err
	}
	c.backends = append(c.backends, b)
	return at, nil
}

// plain enters all proxies of the plan that allowed accepts, in front of a
// backend on two addresses.
func (r *runner) plain(ctx context.Context, c *contest, allowed ...string) error {
	at, err := r.backend(ctx, c, 2)
	if err != nil {
		return err
	}
	t := peer.Topology{Routes: []peer.Route{{Path: "/", Instances: at}}, Connections: idleConnections}
	if c.name == report.TLS {
		if t.Cert, t.Key, err = certificate(c.dir); err != nil {
			return err
		}
	}
	for _, name := range r.plan.proxies {
		if len(allowed) == 0 || slices.Contains(allowed, name) {
			r.enter(ctx, c, &entry{proxy: name, paths: []string{"/"}}, t)
		}
	}
	return nil
}

// requests is a case for wrk.
func (r *runner) requests(ctx context.Context, c *contest, w wrk) error {
	if err := r.plain(ctx, c); err != nil {
		return err
	}
	scheme := "http://"
	if c.name == report.TLS {
		scheme = "https://"
	}
	w.connections, w.threads = r.plan.connections, r.plan.threads
	warm := map[*entry]bool{}
	c.measure = func(ctx context.Context, e *entry) (report.Sample, error) {
		w := w
		w.url = scheme + e.process.Listen
		if !warm[e] { // connections to the backend open, caches settle
			warm[e] = true
			if err := check(ctx, c, e, w.paths[0]); err != nil {
				return report.Sample{}, err
			}
			if _, _, err := w.run(ctx, e.dir, time.Second); err != nil {
				return report.Sample{}, err
			}
		}
		return r.wrkSample(ctx, e, w)
	}
	return nil
}

// wrkSample is a round of wrk with the CPU time of the proxy.
func (r *runner) wrkSample(ctx context.Context, e *entry, w wrk) (report.Sample, error) {
	before, err := e.process.CPU()
	if err != nil {
		return report.Sample{}, err
	}
	s, n, err := w.run(ctx, e.dir, r.plan.round)
	if err != nil {
		return s, err
	}
	after, err := e.process.CPU()
	s.CPU = float64((after - before).Microseconds()) / float64(n)
	return s, err
}

// webSocket is an echo through each proxy.
func (r *runner) webSocket(ctx context.Context, c *contest) error {
	ports, err := peer.FreePorts(ctx, 1)
	if err != nil {
		return err
	}
	echo, err := peer.Echo(ctx, filepath.Join(c.dir, "echo"), loopback(ports[0]))
	if err != nil {
		return err
	}
	c.backends = append(c.backends, echo)
	t := peer.Topology{Routes: []peer.Route{{Path: "/", Instances: []string{loopback(ports[0])}}}, Connections: idleConnections}
	for _, name := range r.plan.proxies {
		if name != peer.HoldfastLogged { // a line at the end of each connection shows nothing
			r.enter(ctx, c, &entry{proxy: name}, t)
		}
	}
	c.measure = func(ctx context.Context, e *entry) (report.Sample, error) {
		return r.closed(ctx, e, load.WebSocket(e.process.Listen, messageSize), r.plan.connections)
	}
	return nil
}

// closed is a round of our own client, after a short one that is not counted.
func (r *runner) closed(ctx context.Context, e *entry, t load.Target, connections int) (report.Sample, error) {
	client, err := load.Connect(ctx, t, connections, r.plan.threads)
	if err != nil {
		return report.Sample{}, err
	}
	defer client.Close()
	if _, err := client.Closed(ctx, 500*time.Millisecond); err != nil {
		return report.Sample{}, err
	}
	before, err := e.process.CPU()
	if err != nil {
		return report.Sample{}, err
	}
	result, err := client.Closed(ctx, r.plan.round)
	if err != nil {
		return report.Sample{}, err
	}
	after, err := e.process.CPU()
	s := sampleOf(result)
	s.CPU = float64((after - before).Microseconds()) / float64(result.Requests)
	return s, err
}

func sampleOf(r *load.Result) report.Sample {
	us := func(share float64) float64 { return float64(r.Percentile(share).Nanoseconds()) / 1e3 }
	return report.Sample{Rate: r.Rate(), P50: us(0.5), P99: us(0.99), P999: us(0.999)}
}
