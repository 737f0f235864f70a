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

// plan is what a run compares, and how.
type plan struct {
	tools, cases   []string
	rounds         int
	round          time.Duration
	users, threads int
	crowd          int // users of the case users
	write          bool
	docs           string // directory
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1) //nolint:forbidigo // the end of the program
	}
}

func run(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	if len(args) > 1 && args[0] == generateVerb {
		return generate(ctx, args[1:], out)
	}
	p, err := readPlan(args, diagnostics)
	if err != nil {
		return err
	}
	r, err := p.measure(ctx, diagnostics)
	if err != nil {
		return err
	}
	r.text(out)
	if p.write {
		if err := r.writeDocs(p.docs); err != nil {
			return err
		}
	}
	return r.missing()
}

func readPlan(args []string, diagnostics io.Writer) (*plan, error) {
	p := &plan{}
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	tools := flags.String("tools", strings.Join(toolNames(), ","), "what to compare")
	cases := flags.String("cases", strings.Join(caseNames(), ","), "what to measure")
	flags.IntVar(&p.rounds, "rounds", 5, "rounds; medians over them are shown")
	flags.DurationVar(&p.round, "time", 4*time.Second, "length of one tool's part of a round, in whole seconds")
	flags.IntVar(&p.users, "users", 64, "virtual users, but in the case users")
	flags.IntVar(&p.crowd, "crowd", 10_000, "virtual users in the case users")
	flags.IntVar(&p.threads, "threads", 2, "threads of each tool and of nginx")
	flags.BoolVar(&p.write, "write", false, "put the result into performance.md")
	flags.StringVar(&p.docs, "docs", "docs", "directory of this file")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	p.tools, p.cases = strings.Split(*tools, ","), strings.Split(*cases, ",")
	return p, p.validate()
}

func (p *plan) validate() error {
	for flag, check := range map[string][2][]string{"-tools": {p.tools, toolNames()}, "-cases": {p.cases, caseNames()}} {
		for _, v := range check[0] {
			if !slices.Contains(check[1], v) {
				return fmt.Errorf("%s %q: want one of %s", flag, v, strings.Join(check[1], ", "))
			}
		}
	}
	if p.round < time.Second || p.round%time.Second != 0 {
		return fmt.Errorf("-time %v: want whole seconds, at least one, for wrk knows no others", p.round)
	}
	if p.rounds < 1 || p.threads < 1 || p.users < p.threads || p.crowd < p.users {
		return errors.New("-rounds and -threads must be at least 1, -users no fewer than -threads, -crowd no fewer than -users")
	}
	return nil
}
