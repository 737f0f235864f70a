//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/http1"
	"holdfast/middleware"
	"holdfast/retry"
)

// engineNames are Holdfast's engines: two alone, and the gateway with `engine:
// http1`, which has the loops in front of the other.
func engineNames() []string { return []string{"std", "loop", "http1"} }

// serveVerb makes this program a proxy: a run starts itself once per engine,
// so that an engine's CPU time is that of a process.
const serveVerb = "serve"

func (l *launcher) engine(ctx context.Context, name, listen string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{
		serveVerb, "-engine", name, "-listen", listen, "-threads", strconv.Itoa(l.plan.threads),
		"-to", strings.Join(l.targets[:], ","),
	}
	if l.plan.profile != "" {
		args = append(args, "-profile", filepath.Join(l.plan.profile, name+".pprof"))
	}
	return launch(ctx, listen, filepath.Join(l.dir, name+".log"), self, args...)
}

// serving says what engine serves where.
type serving struct {
	engine, listen string
	threads        int
	config         middleware.Config
}

// serve is a proxy until ctx ends.
func serve(ctx context.Context, args []string) error {
	s := serving{}
	flags := flag.NewFlagSet(serveVerb, flag.ContinueOnError)
	flags.StringVar(&s.engine, "engine", "", "one of "+strings.Join(engineNames(), ", "))
	flags.StringVar(&s.listen, "listen", "", "host:port")
	flags.IntVar(&s.threads, "threads", 2, "poll loops, where the engine has any")
	to := flags.String("to", "", "host:port of instances, separated by commas")
	profile := flags.String("profile", "", "file for a CPU profile")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stop, err := startProfile(*profile)
	if err != nil {
		return err
	}
	s.config = functions(strings.Split(*to, ","))
	err = s.run(ctx)
	return errors.Join(err, stop())
}

func (s *serving) run(ctx context.Context) error {
	switch s.engine {
	case "std":
		return s.std(ctx)
	case "loop":
		return s.loop(ctx)
	case "http1":
		return s.gateway(ctx)
	default:
		return fmt.Errorf("-engine %q: want one of %s", s.engine, strings.Join(engineNames(), ", "))
	}
}

// functions is one function with all its defaults.
func functions(targets []string) middleware.Config {
	f := middleware.Function{Name: "bench", Routes: []exchange.Route{{Path: "/"}}}
	for _, target := range targets {
		f.Instances = append(f.Instances, balancer.Spec{Endpoint: "http://" + target})
	}
	return middleware.Config{Functions: []middleware.Function{f}}
}

// std serves with the engine on net/http.
func (s *serving) std(ctx context.Context) error {
	h, err := middleware.New(s.config)
	if err != nil {
		return err
	}
	defer h.Close()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	err = srv.Close()
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// loop serves with poll loops, and with a spare processor for each: see the
// package comment of http1.
func (s *serving) loop(ctx context.Context) error {
	runtime.GOMAXPROCS(runtime.NumCPU() + s.threads)
	m, err := s.machine()
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("listen on %s: not TCP", s.listen)
	}
	loops := http1.NewLoops(http1.LoopsConfig{Machine: m, HandOver: func(c net.Conn) { _ = c.Close() }}) // the client asks for nothing else
	return loops.Run(ctx, tcp, s.threads)
}

// gateway serves as `holdfast up` does with `engine: http1`.
func (s *serving) gateway(ctx context.Context) error {
	runtime.GOMAXPROCS(runtime.NumCPU() + s.threads)
	f := s.config.Functions[0]
	g := gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler), Events: event.NewBus(1), Secret: make([]byte, 32)})
	if err := g.Apply([]gateway.Spec{{
		Config: exchange.FunctionConfig{Name: f.Name, Policy: exchange.Policy{Retry: retry.DefaultPolicy()}, Breaker: &breaker.Config{}},
		Routes: f.Routes,
	}}, time.Now()); err != nil {
		return err
	}
	for i := range f.Instances {
		f.Instances[i].ID = f.Instances[i].Endpoint
	}
	list, err := g.SetInstances(f.Name, f.Instances, time.Now())
	if err != nil {
		return err
	}
	for _, i := range list {
		g.Function(f.Name).Balancer().SetHealth(i, balancer.HealthUp, "not checked", time.Now())
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return err
	}
	return g.Run(ctx, ln, gateway.ServeConfig{Loops: s.threads})
}

// machine is what middleware.New makes of the same configuration.
func (s *serving) machine() (*exchange.Machine, error) {
	f := s.config.Functions[0]
	fn, err := exchange.NewFunction(exchange.FunctionConfig{
		Name: f.Name, Policy: exchange.Policy{Retry: retry.DefaultPolicy()}, Breaker: &breaker.Config{},
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var list []*balancer.Instance
	for _, spec := range f.Instances {
		spec.ID = spec.Endpoint
		list = append(list, balancer.NewInstance(spec))
	}
	fn.SetInstances(list, now)
	for _, i := range list {
		fn.Balancer().SetHealth(i, balancer.HealthUp, "not checked", now)
	}
	router, err := exchange.NewRouter([]exchange.Route{{Path: "/", Function: fn}})
	if err != nil {
		return nil, err
	}
	m := exchange.NewMachine(exchange.MachineConfig{})
	m.SetRouter(router)
	return m, nil
}

// startProfile begins a CPU profile; the function it returns writes it.
func startProfile(path string) (func() error, error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
