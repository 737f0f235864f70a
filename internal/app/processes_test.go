package app

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/prober"
)

// Reloads come one after the other; nothing here depends on it. The race
// detector looks on.
func TestConfigurationsOfAFunctionTakeTurns(t *testing.T) {
	t.Parallel()
	events := event.NewBus(1)
	g := gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler), Events: events, Secret: make([]byte, 32)})
	ctx, cancel := context.WithCancel(t.Context())
	p := newProcesses(ctx, newInstances(g, prober.New(prober.Config{})), events, slog.New(slog.DiscardHandler), nil)
	defer p.wait()
	defer cancel()
	f := config.NewFunction("a")
	f.Routes = []config.Route{{Path: "/a/"}}
	f.Health.Path, f.Health.Type = "/health", "http"
	f.Platform.Process = config.NewProcess([]string{"sleep", "600"}, 1)
	s, err := specOf("a", f)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply([]gateway.Spec{s}, time.Now()); err != nil {
		t.Fatal(err)
	}
	var reloads sync.WaitGroup
	for n := range 8 {
		reloads.Go(func() {
			next := *f
			next.Platform.Process = config.NewProcess([]string{"sleep", "600"}, 1+n%2)
			if err := p.apply("a", &next); err != nil {
				t.Error(err)
			}
		})
	}
	reloads.Wait()
	if drivers := p.find("a").all(); len(drivers) != 1 {
		t.Errorf("the same command is run by %d drivers", len(drivers))
	}
}
