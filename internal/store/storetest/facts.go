package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

// Action returns a valid scaling action.
func Action(function string) store.ScalingAction {
	return store.ScalingAction{
		ID: store.NewID(), Function: function, Action: "scale_up", Before: 1, After: 2, Reason: "cpu 81 > 70",
		Metrics: json.RawMessage(`{"cpu":81}`), Success: true, CreatedAt: moment(),
	}
}

func testFactsOnce(t *testing.T, s store.Store) {
	a := Action("api")
	for range 3 {
		ok(t, s.AppendFacts(t.Context(), []store.Fact{a, a}))
	}
	changed := a
	changed.Reason = "something else"
	ok(t, s.AppendFacts(t.Context(), []store.Fact{changed}))
	same(t, "actions", must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), store.Query{})), []store.ScalingAction{a})
}

func testFactsAtomic(t *testing.T, s store.Store) {
	bad := Action("api")
	bad.Action = "explode"
	wantError(t, s.AppendFacts(t.Context(), []store.Fact{Action("api"), bad}), store.ErrRejected)
	if got := must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), store.Query{})); len(got) != 0 {
		t.Errorf("%d actions of a refused batch were stored", len(got))
	}
}

func testFactsWhole(t *testing.T, s store.Store) {
	failed := store.ScalingAction{ID: store.NewID(), Function: "api", Action: "failover", ErrorMessage: "no other instance", CreatedAt: moment().Add(time.Second)}
	event := store.Event{
		ID: store.NewID(), Node: "n1", Kind: "breaker", Function: "api", Instance: "a1", From: "closed", To: "open", Source: "results",
		Reason: "5 failures", Data: json.RawMessage(`{"count":5}`), At: moment(),
	}
	decision := store.Decision{
		ID: store.NewID(), Node: "n1", Kind: "scaling", Function: "api", Rule: "cpu", Inputs: json.RawMessage(`{"cpu":[81,2.5]}`),
		Result: json.RawMessage(`"up"`), At: moment(),
	}
	action := Action("api")
	ok(t, s.AppendFacts(t.Context(), []store.Fact{event, action, decision, failed}))
	failed.Metrics = json.RawMessage(`{}`)
	same(t, "actions", must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), store.Query{Function: "api"})), []store.ScalingAction{failed, action})
	same(t, "events", must[[]store.Event](t)(s.Events(t.Context(), store.Query{Kind: "breaker"})), []store.Event{event})
	same(t, "decisions", must[[]store.Decision](t)(s.Decisions(t.Context(), store.Query{})), []store.Decision{decision})
}

func testOddText(t *testing.T, s store.Store) {
	a := Action("api")
	a.Reason = "a\x00b \xff\xfe 'quoted' \"twice\" \\u0000 é 漢 🦫"
	a.Metrics = json.RawMessage(`{"k":"nul \u0000 and \\u0000 end"}`)
	ok(t, s.AppendFacts(t.Context(), []store.Fact{a}))
	got := must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), store.Query{}))
	if want := "ab \ufffd 'quoted' \"twice\" \\u0000 é 漢 🦫"; len(got) != 1 || got[0].Reason != want {
		t.Errorf("got %+v, want reason %q", got, want)
	}
	same(t, "metrics", got[0].Metrics, json.RawMessage(`{"k":"nul  and \\u0000 end"}`))
}

func testPages(t *testing.T, s store.Store) {
	var facts []store.Fact
	for i := range 250 {
		e := store.Event{ID: store.NewID(), Kind: fmt.Sprintf("kind%d", i%2), At: moment().Add(time.Duration(i/10) * time.Second)}
		facts = append(facts, e)
	}
	ok(t, s.AppendFacts(t.Context(), facts))
	seen := map[uuid.UUID]bool{}
	q := store.Query{Kind: "kind1", Limit: 40}
	for {
		page := must[[]store.Event](t)(s.Events(t.Context(), q))
		for _, e := range page {
			if seen[e.ID] || e.Kind != "kind1" {
				t.Fatalf("event %v twice or of the wrong kind %s", e.ID, e.Kind)
			}
			seen[e.ID] = true
		}
		if len(page) < 40 {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	if len(seen) != 125 {
		t.Errorf("pages held %d events, want 125", len(seen))
	}
	within := store.Query{From: moment().Add(2 * time.Second), To: moment().Add(4 * time.Second)}
	if got := must[[]store.Event](t)(s.Events(t.Context(), within)); len(got) != 20 {
		t.Errorf("%d events within two seconds, want 20", len(got))
	}
	if got := must[[]store.Event](t)(s.Events(t.Context(), store.Query{})); len(got) != 100 || !got[0].At.After(got[99].At) {
		t.Errorf("%d events by default, want the newest 100", len(got))
	}
}

func testFactsConcurrent(t *testing.T, s store.Store) {
	shared := Action("shared")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := s.AppendFacts(t.Context(), []store.Fact{Action("own"), shared, Action("own")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), store.Query{Limit: 1000})); len(got) != 161 {
		t.Errorf("%d actions, want 161", len(got))
	}
}

func testDeadline(t *testing.T, s store.Store) {
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	wantError(t, s.AppendFacts(late, []store.Fact{Action("api")}), store.ErrUnavailable)
	gone, cancelGone := context.WithCancel(t.Context())
	cancelGone()
	wantError(t, s.Audit(gone, store.AuditEntry{Action: "x"}), context.Canceled)
}
