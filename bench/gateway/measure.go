//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/bench/gateway/report"
)

// measure runs the cases of the plan.
func (p *plan) measure(ctx context.Context, diagnostics io.Writer) (*report.Run, error) {
	dir, err := os.MkdirTemp("", "holdfast-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)                      //nolint:errcheck // a leftover in the temporary directory
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nginx's workers are somebody else
		return nil, err
	}
	r := &runner{plan: p, dir: dir, started: time.Now(), diagnostics: diagnostics, run: &report.Run{
		Started: time.Now().UTC().Truncate(time.Second), Machine: machine(),
		Rounds: p.rounds, Seconds: p.round.Seconds(), Connections: p.connections, Threads: p.threads,
	}}
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	if err := raiseFiles(); err != nil {
		return nil, err
	}
	for i, name := range slices.DeleteFunc(report.Cases(), func(name string) bool { return !slices.Contains(p.cases, name) }) {
		if err := r.one(ctx, name, filepath.Join(dir, fmt.Sprintf("%02d-%s", i, name))); err != nil {
			return nil, err
		}
	}
	r.run.Took = time.Since(r.started).Seconds()
	return r.run, nil
}

// one runs one case with backends and proxies of its own.
func (r *runner) one(ctx context.Context, name, dir string) error {
	c := &contest{name: name, rounds: r.plan.rounds, dir: dir}
	if err := r.arrange(ctx, c); err != nil {
		c.stop()
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := r.play(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// raiseFiles lets this process and those it starts open as many files as the
// system allows.
func raiseFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("ask for the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}

// crowd returns n connections, or as many as the limit of open files leaves a
// proxy that needs two files for each.
func crowd(n int) (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	const spare = 1000
	if limit.Cur > 2*uint64(n)+spare { //nolint:gosec // n is positive
		return n, nil
	}
	return int(limit.Cur-spare) / 2, nil //nolint:gosec // below n
}
