package platformtest

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"holdfast/internal/platform"
)

func toldAtOnce(w *watched) {
	t := w.t
	o := w.running(1)
	i := o.Instances[0]
	if i.ID == "" || i.Since.IsZero() || i.Endpoint == "" {
		t.Errorf("the instance is not told in full: %+v", i)
	}
	if age := time.Since(o.At); age < 0 || age > w.Slowest {
		t.Errorf("the observation is %s old", age)
	}
	answers(t, i)
}

// answers fails the test unless an instance that runs answers: a driver that
// calls one running which does not accept connections lets requests fail.
func answers(t *testing.T, i platform.Instance) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.Endpoint+"/", http.NoBody)
	if err != nil {
		t.Fatalf("the endpoint of %s is no URL: %v", i.ID, err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatalf("%s is told as running and does not answer: %v", i.ID, err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("%s answers with %s, %v", i.ID, answer.Status, err)
	}
}

func toldAgain(w *watched) {
	t := w.t
	first := w.running(1)
	again := w.await("told again", func(o *platform.Observation) bool { return o.At.After(first.At) })
	seen := w.since(0)
	for n := 1; n < len(seen); n++ {
		if gap := seen[n].o.At.Sub(seen[n-1].o.At); seen[n].err == nil && seen[n-1].err == nil && gap > platform.Freshness {
			t.Errorf("nothing was told for %s", gap)
		}
	}
	if !slices.Equal(ids(first.Instances), ids(again.Instances)) || again.Desired != first.Desired {
		t.Errorf("nothing changed, and it is told as %+v, then as %+v", first, again)
	}
}

// unreachable: an error is told, and until the platform is back nothing that
// looks like a service without instances.
func unreachable(w *watched) {
	t := w.t
	if w.Break == nil {
		t.Log("left out: there is no Break")
		return
	}
	before := w.running(1)
	w.Break(t)
	from := w.count()
	w.awaitTold("an error is told", func(x *told) bool { return x.err != nil })
	ctx, stop := context.WithTimeout(t.Context(), w.Slowest)
	defer stop()
	if err := w.Driver.Scale(ctx, platform.Order{Instances: 2}); err == nil {
		t.Error("an order nobody can have taken is told as taken")
	}
	answers(t, before.Instances[0])
	w.Restore(t)
	w.running(1)
	for _, x := range w.since(from) {
		if x.err == nil && len(x.o.Instances) == 0 {
			t.Error("an unreachable platform was told as one without instances")
		}
		if x.err != nil && (len(x.o.Instances) > 0 || !x.o.At.IsZero()) {
			t.Errorf("with the error %v comes an observation", x.err)
		}
	}
	w.order(platform.Order{Instances: 2})
	w.running(2)
}

func measured(w *watched) {
	t := w.t
	ctx, stop := context.WithTimeout(t.Context(), w.Slowest)
	defer stop()
	if !w.Driver.Capabilities().Metrics {
		refused(t, "Metrics", func() error { _, err := w.Driver.Metrics(ctx); return err })
		return
	}
	id := w.running(1).Instances[0].ID
	var usage platform.Usage
	w.poll("the instance is measured", func() bool {
		all, err := w.Driver.Metrics(ctx)
		if err != nil {
			t.Logf("Metrics: %v", err)
			return false
		}
		u, ok := all[id]
		usage = u
		return ok && (u.CPUPercent >= 0 || u.MemoryPercent >= 0)
	}, func() {})
	if age := time.Since(usage.At); age < -time.Second || age > 2*time.Minute {
		t.Errorf("it was measured %s ago", age)
	}
}

// ended: no word after the end, and the end comes at once.
func ended(w *watched) {
	t := w.t
	w.running(1)
	start := time.Now()
	w.end()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("Run took %s to end", took)
	}
	n := w.count()
	if w.SetReplicas == nil {
		return
	}
	w.SetReplicas(t, 2)
	if w.count() != n {
		t.Error("something was told after Run had ended")
	}
}
