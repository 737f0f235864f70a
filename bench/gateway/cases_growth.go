//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"holdfast/bench/gateway/load"
	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// pointsOf are the sizes at which a growing case is measured.
func pointsOf(name string) ([]int, error) {
	switch name {
	case report.Instances:
		return []int{1, 10, 100, 1000}, nil
	case report.Functions:
		return []int{1, 50, 500}, nil
	default:
		most, err := crowd(10_000)
		return []int{10, 100, 1000, most}, err
	}
}

// growth is a small GET at several sizes of one thing, HAProxy beside Holdfast.
func (r *runner) growth(ctx context.Context, c *contest) error {
	points, err := pointsOf(c.name)
	if err != nil {
		return err
	}
	addresses := 2
	if c.name == report.Instances {
		addresses = points[len(points)-1]
	}
	at, err := r.backend(ctx, c, addresses)
	if err != nil {
		return err
	}
	for _, point := range points {
		routes := routesOf(c.name, point, at)
		var paths []string
		for _, route := range routes {
			paths = append(paths, route.Path)
		}
		for _, name := range r.plan.proxies {
			if name == peer.HAProxy || name == peer.Holdfast {
				r.enter(ctx, c, &entry{proxy: name, point: point, paths: paths}, peer.Topology{Routes: routes, Connections: idleConnections})
			}
		}
	}
	c.measure = r.grown(c)
	return nil
}

// routesOf are the functions of a growing case with their instances.
func routesOf(name string, point int, at []string) []peer.Route {
	switch name {
	case report.Instances:
		return []peer.Route{{Path: "/", Instances: at[:point]}}
	case report.Functions:
		var routes []peer.Route
		for i := range point {
			routes = append(routes, peer.Route{Path: fmt.Sprintf("/f%03d/", i), Instances: at})
		}
		return routes
	default:
		return []peer.Route{{Path: "/", Instances: at}}
	}
}

func (r *runner) grown(c *contest) func(ctx context.Context, e *entry) (report.Sample, error) {
	warm := map[*entry]bool{}
	return func(ctx context.Context, e *entry) (report.Sample, error) {
		w := wrk{connections: r.plan.connections, threads: r.plan.threads, url: "http://" + e.process.Listen, paths: e.paths}
		settle := time.Second // connections that were idle since the last round may be gone
		if !warm[e] {
			warm[e], settle = true, 3*time.Second
			for _, path := range []string{e.paths[0], e.paths[len(e.paths)-1]} {
				if err := check(ctx, c, e, path); err != nil {
					return report.Sample{}, err
				}
			}
		}
		if c.name == report.Connections {
			return r.closed(ctx, e, load.HTTP(e.process.Listen, "/", peer.SmallSize), e.point)
		}
		if _, _, err := w.run(ctx, e.dir, settle); err != nil {
			return report.Sample{}, err
		}
		return r.wrkSample(ctx, e, w)
	}
}
