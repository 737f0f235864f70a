package app

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/exchange"
	"holdfast/internal/runs"
	"holdfast/internal/supervise"
)

// Runs say how load tests, stress tests and drills are started for the API.
type Runs struct {
	// Arguments of this very program that make it carry out one; its body is
	// runs.Serve. Nil: none are started.
	Arguments []string
	// TakeBack takes back what the drill left of which the journals are in dir,
	// asking whoever answers on the socket in the data directory.
	TakeBack func(ctx context.Context, data, dir string) error
}

// makeRuns makes what carries out runs.
func (a *App) makeRuns() error {
	if a.options.Runs.Arguments == nil {
		return nil
	}
	self, err := supervise.Self()
	if err != nil {
		return err
	}
	data, err := filepath.Abs(a.data.path)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	a.runs = runs.New(runs.Config{
		Dir: filepath.Join(data, "runs"), Drills: filepath.Join(data, "drill"),
		Command:  append(append([]string{self}, a.options.Runs.Arguments...), "--data-dir", data),
		Bounds:   a.runBounds,
		Target:   a.runTarget,
		Count:    a.runCounts,
		TakeBack: func(ctx context.Context, dir string) error { return a.options.Runs.TakeBack(ctx, data, dir) },
		Publish:  a.events.Publish, Logger: a.logs.For("runs"),
	})
	return nil
}

// behind is how far behind the gateway a run stands for the processor. Further
// behind, a busy machine would have it measure how long it waits, and take
// faults back late.
const behind = 5

// runBounds are the limits in force.
func (a *App) runBounds() runs.Bounds {
	return runs.Bounds{AtOnce: 1, Child: supervise.Limits{MemoryBytes: 512 << 20, CPUPercent: 100, Nice: behind}}
}

// runTarget finds where requests of a function go.
func (a *App) runTarget(function string) (runs.Target, error) {
	c := a.config.Load()
	name := function
	if name == "" {
		name = a.largest()
	}
	t := runs.Target{Function: name, Gateway: runs.Reachable(a.GatewayURL())}
	f := c.Functions[name]
	switch {
	case f == nil && function != "":
		return t, &runs.Refusal{
			Kind: runs.NotFound, Field: "function", Message: fmt.Sprintf("there is no function %q", function),
			Hint: "there are " + strings.Join(slices.Sorted(maps.Keys(c.Functions)), ", "),
		}
	case f == nil || len(f.Routes) == 0:
		return t, nil
	}
	t.Path, t.Host = f.Routes[0].Path, f.Routes[0].Host
	if strings.HasPrefix(t.Host, "*.") {
		t.Host = "run" + t.Host[1:] // any name below it is as good
	}
	return t, nil
}

// largest is the function with most instances that take traffic; of equals the
// first by name.
func (a *App) largest() string {
	best, most, now := "", -1, time.Now()
	for _, fn := range a.gateway.Functions() {
		if n := fn.Balancer().Stats(now).Available; n > most || n == most && fn.Name() < best {
			best, most = fn.Name(), n
		}
	}
	return best
}

// runCounts reads what the gateway has counted of a function.
func (a *App) runCounts(function string) (runs.Counts, bool) {
	fn := a.gateway.Function(function)
	if fn == nil {
		return runs.Counts{}, false
	}
	return countsOf(fn), true
}

func countsOf(fn *exchange.Function) runs.Counts {
	stats := fn.Stats()
	n := runs.Counts{
		Attempts: stats.Attempts.Load(), Failed: stats.Exchanges[5].Load(), InFlight: fn.InFlight(), Available: fn.Balancer().Stats(time.Now()).Available,
	}
	for class := range stats.Exchanges {
		n.Exchanges += stats.Exchanges[class].Load()
	}
	if br := fn.Breaker(); br != nil {
		n.Breaker = br.State().String()
	}
	return n
}

// beginRuns carries out what is started until ctx ends; end waits until all of
// it is taken back.
func (a *App) beginRuns(ctx context.Context) (end func()) {
	if a.runs == nil {
		return func() {}
	}
	var under sync.WaitGroup
	under.Go(func() { _ = a.runs.Run(ctx) }) // it has no errors that end Holdfast
	return under.Wait
}

// checkLoaded says why a run may not send requests to a URL elsewhere.
func (a *App) checkLoaded(ctx context.Context, url string) error {
	_, err := a.orders.outbound.Check(ctx, url)
	return err
}
