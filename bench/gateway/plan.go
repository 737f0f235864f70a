//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// plan is what a run compares, and how.
type plan struct {
	proxies, cases []string
	rounds         int
	round          time.Duration
	connections    int
	threads        int // of each proxy, of the backend and of the client
	output         string
	write          bool
	docs           string // directory
	from           string
}

// shortCases are what -short measures: one round of a second for each proxy.
func shortCases() []string {
	return []string{report.Get, report.Get10K, report.Get1M, report.Post10K, report.TLS, report.Connect, report.WebSocket}
}

func readPlan(args []string, diagnostics io.Writer) (*plan, error) {
	p := &plan{}
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	proxies := flags.String("proxies", strings.Join(peer.Names(), ","), "what to compare")
	cases := flags.String("cases", strings.Join(report.Cases(), ","), "what to measure")
	short := flags.Bool("short", false, "the plain cases, HAProxy and Holdfast only, one round of 1 s: less than a minute")
	flags.IntVar(&p.rounds, "rounds", 5, "rounds; medians over them are shown")
	flags.DurationVar(&p.round, "time", 2*time.Second, "length of one proxy's part of a round, in whole seconds")
	flags.IntVar(&p.connections, "connections", 64, "connections of the client, where the case does not say")
	flags.IntVar(&p.threads, "threads", 2, "threads of each proxy, the backend and the client")
	flags.StringVar(&p.output, "o", "text", "output: text or json")
	flags.BoolVar(&p.write, "write", false, "put the result into performance.md and performance.svg")
	flags.StringVar(&p.docs, "docs", "docs", "directory of these files")
	flags.StringVar(&p.from, "from", "", "show the run in this file, written with -o json, instead of measuring")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	p.proxies, p.cases = strings.Split(*proxies, ","), strings.Split(*cases, ",")
	if *short {
		p.proxies, p.cases = []string{peer.HAProxy, peer.Holdfast}, shortCases()
		p.rounds, p.round = 1, time.Second
	}
	return p, p.validate()
}

func (p *plan) validate() error {
	if err := oneOf("-proxies", p.proxies, peer.Names()); err != nil {
		return err
	}
	if err := oneOf("-cases", p.cases, report.Cases()); err != nil {
		return err
	}
	if err := oneOf("-o", []string{p.output}, []string{"text", "json"}); err != nil {
		return err
	}
	if p.round < time.Second || p.round%time.Second != 0 {
		return fmt.Errorf("-time %v: want whole seconds, at least one, for wrk knows no others", p.round)
	}
	if p.rounds < 1 || p.threads < 1 || p.connections < p.threads {
		return errors.New("-rounds and -threads must be at least 1, -connections no fewer than -threads")
	}
	return nil
}

func oneOf(flag string, values, known []string) error {
	for _, v := range values {
		if !slices.Contains(known, v) {
			return fmt.Errorf("%s %q: want one of %s", flag, v, strings.Join(known, ", "))
		}
	}
	return nil
}
