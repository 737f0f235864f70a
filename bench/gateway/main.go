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
	"syscall"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
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

func run(ctx context.Context, args []string, out, diagnostics io.Writer) error {
	if len(args) == 2 && args[0] == peer.EchoVerb {
		return peer.ServeEcho(ctx, args[1])
	}
	if len(args) == 3 && args[0] == peer.RelayVerb {
		return peer.ServeRelay(ctx, args[1], args[2])
	}
	p, err := readPlan(args, diagnostics)
	if err != nil {
		return err
	}
	r, err := p.obtain(ctx, diagnostics)
	if err != nil {
		return err
	}
	if err := p.show(r, out); err != nil {
		return err
	}
	return missing(r)
}

// obtain measures, or reads what was measured.
func (p *plan) obtain(ctx context.Context, diagnostics io.Writer) (*report.Run, error) {
	if p.from == "" {
		return p.measure(ctx, diagnostics)
	}
	f, err := os.Open(p.from)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return report.Read(f)
}

func (p *plan) show(r *report.Run, out io.Writer) error {
	if p.write {
		if err := r.WriteDocs(p.docs); err != nil {
			return err
		}
	}
	if p.output == "json" {
		return r.Write(out)
	}
	return r.Text(out)
}

var errMissing = errors.New("not all could be measured")

// missing is an error when a proxy is missing in a case.
func missing(r *report.Run) error {
	var list []error
	for _, result := range r.Results {
		if result.Missing != "" {
			list = append(list, fmt.Errorf("%s, %s: %s", result.Case, result.Proxy, result.Missing))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", errMissing, errors.Join(list...))
}
