//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1) //nolint:forbidigo // the end of the program
	}
}

// plan is what a run compares, and how.
type plan struct {
	proxies     []string
	rounds      int
	round       time.Duration
	connections int
	threads     int // of each proxy, of the backend and of wrk
	size        int // of an answer's body
	profile     string
}

func run(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	if len(args) > 0 && args[0] == serveVerb {
		return serve(ctx, args[1:])
	}
	p, err := readPlan(args, diagnostics)
	if err != nil {
		return err
	}
	results, err := p.compare(ctx, diagnostics)
	if err != nil {
		return err
	}
	return results.write(out, p)
}

func readPlan(args []string, diagnostics io.Writer) (*plan, error) {
	p := &plan{}
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	names := flags.String("proxies", strings.Join(proxyNames(), ","), "what to compare: "+strings.Join(proxyNames(), ", "))
	flags.IntVar(&p.rounds, "rounds", 5, "rounds; medians over them are printed")
	flags.DurationVar(&p.round, "time", 3*time.Second, "length of one proxy's part of a round")
	flags.IntVar(&p.connections, "connections", 64, "connections of the client")
	flags.IntVar(&p.threads, "threads", 2, "threads of each proxy, the backend and the client")
	flags.IntVar(&p.size, "size", 512, "bytes of an answer's body")
	flags.StringVar(&p.profile, "profile", "", "directory for CPU profiles of Holdfast's engines")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	p.proxies = strings.Split(*names, ",")
	return p, p.validate()
}

func (p *plan) validate() error {
	for _, name := range p.proxies {
		if !slices.Contains(proxyNames(), name) {
			return fmt.Errorf("-proxies names %q: want some of %s", name, strings.Join(proxyNames(), ", "))
		}
	}
	if p.rounds < 1 || p.round < 100*time.Millisecond || p.threads < 1 || p.connections < p.threads || p.size < 1 {
		return errors.New("-rounds, -threads and -size must be at least 1, -time 100ms, -connections no fewer than -threads")
	}
	return nil
}

// compare runs all rounds; results are by proxy, in the order of the plan.
func (p *plan) compare(ctx context.Context, diagnostics io.Writer) (results, error) {
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary directory
	s, err := p.start(ctx, dir)
	defer s.stop()
	if err != nil {
		return nil, err
	}
	all := make(results, len(p.proxies))
	for round := range p.rounds {
		for i := range p.proxies {
			k := (i + round) % len(p.proxies) // nobody is always the first
			m, err := p.measure(ctx, s.proxies[k])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.proxies[k], err)
			}
			all[k] = append(all[k], m)
			fmt.Fprintf(diagnostics, "round %d %-8s %6.2f us/request %8.0f requests/s\n", round+1, p.proxies[k], m.cpu, m.rate)
		}
	}
	return all, nil
}
