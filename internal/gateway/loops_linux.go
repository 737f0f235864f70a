package gateway

import (
	"context"
	"fmt"
	"net"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/http1"
	"holdfast/middleware"
)

// runLoops carries what loops carry until ctx ends and their connections are
// done.
func (g *Gateway) runLoops(ctx context.Context, ln *net.TCPListener, handOver func(net.Conn), c *ServeConfig) error {
	return http1.NewLoops(http1.LoopsConfig{
		Machine: g.machine, HandOver: handOver, Takes: g.loopsTake, Options: g.loopOptions,
		Cookie:  func(s exchange.Step, proto string) string { return g.engine.Cookie(s, proto).String() },
		Problem: middleware.Problem, Panicked: g.panicked, Handed: c.Handed, Via: g.engine.Via(), TLS: c.TLS,
		TrustedProxies: g.config.TrustedProxies, Limits: http1.Limits{Head: c.HeaderBytes},
		HeaderTimeout: orEndless(c.HeaderTimeout), IdleTimeout: orEndless(c.IdleTimeout), Shutdown: c.Shutdown,
		MinRate: c.MinRate,
	}).Run(ctx, ln, c.Loops)
}

func (g *Gateway) loopOptions(fn *exchange.Function) http1.Options {
	o := g.optionsOf(fn)
	return http1.Options{InstanceHost: o.InstanceHost, ReplayLimit: o.BodyLimit()}
}

func (g *Gateway) panicked(cause any, stack []byte) {
	g.config.Logger.Error("closed a connection: serving it panicked", "cause", fmt.Sprint(cause), "stack", string(stack))
}

func allPollable(list []*balancer.Instance) bool {
	for _, i := range list {
		if !http1.Pollable(i.Endpoint()) {
			return false
		}
	}
	return true
}
