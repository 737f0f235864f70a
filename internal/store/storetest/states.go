package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/internal/store"
)

// OpenBreaker returns an open breaker as of a time.
func OpenBreaker(function string, at time.Time) store.Breaker {
	return store.Breaker{
		Function: function, State: "open", FailureCount: 5, LastFailure: at, NextAttempt: at.Add(time.Minute),
		Config: json.RawMessage(`{"failure_threshold":5}`), UpdatedAt: at,
	}
}

func testStatesNewest(t *testing.T, s store.Store) {
	now := moment()
	open, closed := OpenBreaker("api", now), store.Breaker{Function: "api", State: "closed", UpdatedAt: now.Add(-time.Microsecond)}
	ok(t, s.SaveStates(t.Context(), []store.State{open}))
	ok(t, s.SaveStates(t.Context(), []store.State{closed}))
	closed.UpdatedAt = now
	ok(t, s.SaveStates(t.Context(), []store.State{closed}))
	got := must[[]store.Breaker](t)(s.Breakers(t.Context()))
	open.CreatedAt = now
	same(t, "after older states", got, []store.Breaker{open})

	closed.UpdatedAt = now.Add(time.Microsecond)
	ok(t, s.SaveStates(t.Context(), []store.State{open, closed, open}))
	got = must[[]store.Breaker](t)(s.Breakers(t.Context()))
	closed.CreatedAt, closed.Config = now, json.RawMessage(`{}`)
	same(t, "after a newer state", got, []store.Breaker{closed})
	if latest := must[time.Time](t)(s.LatestStamp(t.Context())); !latest.Equal(closed.UpdatedAt) {
		t.Errorf("latest stamp %v, want %v", latest, closed.UpdatedAt)
	}
}

func testStatesWhole(t *testing.T, s store.Store) {
	if latest := must[time.Time](t)(s.LatestStamp(t.Context())); !latest.IsZero() {
		t.Errorf("latest stamp of nothing is %v", latest)
	}
	now := moment()
	inst := store.Instance{
		ID: "api/a1", Function: "api", Endpoint: "http://127.0.0.1:9001", Status: "recovering", Health: json.RawMessage(`{"ok":true}`),
		Connections: 3, LastRequest: now.Add(-time.Second), UpdatedAt: now,
	}
	other := store.Instance{ID: "web/a1", Function: "web", Endpoint: "http://127.0.0.1:9002", Status: "active", UpdatedAt: now}
	node := store.NodeState{Node: "n1", Kind: "health", Name: "api/a1", Data: json.RawMessage(`{"up":true}`), UpdatedAt: now}
	ok(t, s.SaveStates(t.Context(), []store.State{inst, other, node}))
	inst.CreatedAt = now
	same(t, "instances of api", must[[]store.Instance](t)(s.Instances(t.Context(), "api")), []store.Instance{inst})
	if all := must[[]store.Instance](t)(s.Instances(t.Context(), "")); len(all) != 2 {
		t.Errorf("%d instances, want 2", len(all))
	}
	same(t, "node states", must[[]store.NodeState](t)(s.NodeStates(t.Context(), "n1", "health")), []store.NodeState{node})
	if none := must[[]store.NodeState](t)(s.NodeStates(t.Context(), "n2", "health")); len(none) != 0 {
		t.Errorf("another node has %v", none)
	}

	ok(t, s.SaveStates(t.Context(), []store.State{store.InstanceGone{ID: other.ID, At: now.Add(-time.Second)}}))
	if got := must[[]store.Instance](t)(s.Instances(t.Context(), "web")); len(got) != 1 {
		t.Error("an older removal removed a newer instance")
	}
	ok(t, s.SaveStates(t.Context(), []store.State{store.InstanceGone{ID: other.ID, At: now.Add(time.Second)}}))
	if got := must[[]store.Instance](t)(s.Instances(t.Context(), "web")); len(got) != 0 {
		t.Error("the instance is still there")
	}
}

func testStatesConcurrent(t *testing.T, s store.Store) {
	const writers, turns, keys = 6, 15, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for turn := range turns {
				var batch []store.State
				for k := range keys {
					at := moment().Add(time.Duration(turn*writers+w) * time.Millisecond)
					batch = append(batch, OpenBreaker(fmt.Sprintf("f%d", (k+w)%keys), at))
				}
				if err := s.SaveStates(t.Context(), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := moment().Add((writers*turns - 1) * time.Millisecond)
	for _, b := range must[[]store.Breaker](t)(s.Breakers(t.Context())) {
		if !b.UpdatedAt.Equal(want) {
			t.Errorf("%s is of %v, want %v", b.Function, b.UpdatedAt, want)
		}
	}
}

func testChecks(t *testing.T, s store.Store) {
	for _, bad := range []store.State{
		store.Instance{ID: "a", Function: "api", Status: "sleepy", UpdatedAt: moment()},
		store.Breaker{Function: "api", State: "ajar", UpdatedAt: moment()},
		store.Breaker{Function: "api", State: "open", Config: json.RawMessage(`{`), UpdatedAt: moment()},
		store.Breaker{Function: "api", State: "open"},
	} {
		wantError(t, s.SaveStates(t.Context(), []store.State{bad}), store.ErrRejected)
	}
	wantError(t, s.AddToken(t.Context(), store.Token{ID: "t", Name: "n", Role: "emperor", Hash: make([]byte, 32), CreatedAt: moment()}, by()), store.ErrRejected)
	wantError(t, s.AddToken(t.Context(), store.Token{ID: "t", Name: "n", Role: store.Viewer, Hash: []byte("short"), CreatedAt: moment()}, by()), store.ErrRejected)
}
