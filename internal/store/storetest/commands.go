package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/internal/store"
)

func testSetup(t *testing.T, s store.Store) {
	functions := []store.FunctionConfig{
		{Function: "admin", Scaling: json.RawMessage(`{"max_instances":5}`), Enabled: true},
		{Function: "public", Enabled: true},
	}
	for turn := range 2 {
		list, err := store.Setup(t.Context(), s, functions)
		ok(t, err)
		for _, c := range store.Failed(list) {
			t.Errorf("turn %d: %s: %s", turn, c.Name, c.Detail)
		}
		if i := slices.IndexFunc(list, func(c store.Check) bool { return c.Name == "table scaling_actions" }); i < 0 {
			t.Error("the list has no line for scaling_actions")
		}
		functions[0].Scaling = json.RawMessage(`{"max_instances":9}`)
	}
	got := must[store.FunctionConfig](t)(s.FunctionConfig(t.Context(), "admin"))
	same(t, "the default of the first run", got.Scaling, json.RawMessage(`{"max_instances":5}`))
	if b := must[[]store.Breaker](t)(s.Breakers(t.Context())); len(b) != 2 || b[0].State != "closed" {
		t.Errorf("breakers %+v, want two closed ones", b)
	}
	if all := must[[]store.FunctionConfig](t)(s.FunctionConfigs(t.Context())); len(all) != 2 {
		t.Errorf("%d configurations, want 2: the probe of the check must be taken back", len(all))
	}
}

func testMigrations(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ok(t, s.Ping(t.Context()))
}

func testConfigEdit(t *testing.T, s store.Store) {
	_, err := s.FunctionConfig(t.Context(), "api")
	wantError(t, err, store.ErrNotFound)
	set := func(doc string) func(*store.FunctionConfig) error {
		return func(c *store.FunctionConfig) error { c.Recovery = json.RawMessage(doc); return nil }
	}
	first, changed, err := s.EditFunctionConfig(t.Context(), "api", "config.put", "the first", by(), set(`{"b":1,"aa":2}`))
	ok(t, err)
	if !changed || !first.Enabled || first.UpdatedAt.IsZero() {
		t.Errorf("a new row is %+v, want it enabled", first)
	}
	_, changed, err = s.EditFunctionConfig(t.Context(), "api", "config.put", "", by(), set(`{"aa": 2, "b": 1}`))
	if err != nil || changed {
		t.Errorf("the same in other words: changed %v, %v", changed, err)
	}
	_, changed, err = s.EditFunctionConfig(t.Context(), "api", "config.put", "", by(), set(`{"b":3}`))
	if err != nil || !changed {
		t.Errorf("something else: changed %v, %v", changed, err)
	}
	errBad := errors.New("too many instances")
	_, _, err = s.EditFunctionConfig(t.Context(), "new", "config.put", "", by(), func(*store.FunctionConfig) error { return errBad })
	if err != errBad { //nolint:errorlint // the very error must come back
		t.Errorf("error %v, want that of the edit", err)
	}
	if all := must[[]store.FunctionConfig](t)(s.FunctionConfigs(t.Context())); len(all) != 1 {
		t.Errorf("%d rows, want the refused edit to leave none", len(all))
	}
	changes := must[[]store.ConfigChange](t)(s.ConfigChanges(t.Context(), store.Query{Function: "api"}))
	if len(changes) != 2 || changes[1].Before != nil || changes[0].Who != "ada" {
		t.Fatalf("history %+v, want the creation and one change", changes)
	}
	same(t, "before", changes[0].Before, changes[1].After)
	log := must[[]store.AuditEntry](t)(s.AuditLog(t.Context(), store.Query{Kind: "config.put"}))
	if len(log) != 2 || log[0].Actor != by() || log[0].Target != "api" || log[0].Reason != "" || log[1].Reason != "the first" {
		t.Errorf("audit log %+v", log)
	}
}

func testConfigConcurrent(t *testing.T, s store.Store) {
	const writers, turns = 5, 6
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range turns {
				_, _, err := s.EditFunctionConfig(t.Context(), "api", "config.put", "", by(), count(fmt.Sprintf("w%d", w)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := must[store.FunctionConfig](t)(s.FunctionConfig(t.Context(), "api"))
	var counts map[string]int
	ok(t, json.Unmarshal(got.Scaling, &counts))
	for w := range writers {
		if n := counts[fmt.Sprintf("w%d", w)]; n != turns {
			t.Errorf("writer %d counted to %d, want %d", w, n, turns)
		}
	}
}

// count adds one to a key of the scaling document.
func count(key string) func(*store.FunctionConfig) error {
	return func(c *store.FunctionConfig) error {
		counts := map[string]int{}
		if len(c.Scaling) > 0 {
			if err := json.Unmarshal(c.Scaling, &counts); err != nil {
				return err
			}
		}
		counts[key]++
		b, err := json.Marshal(counts)
		c.Scaling = b
		return err
	}
}

func testOverrides(t *testing.T, s store.Store) {
	wantError(t, s.SetOverride(t.Context(), "log.level", nil, by()), store.ErrNotFound)
	ok(t, s.SetOverride(t.Context(), "log.level", json.RawMessage(`"debug"`), by()))
	ok(t, s.SetOverride(t.Context(), "log.level", json.RawMessage(`"info"`), by()))
	all := must[[]store.Override](t)(s.Overrides(t.Context()))
	if len(all) != 1 || string(all[0].Value) != `"info"` || all[0].UpdatedBy != "ada" {
		t.Errorf("overrides %+v", all)
	}
	ok(t, s.SetOverride(t.Context(), "log.level", nil, by()))
	if all := must[[]store.Override](t)(s.Overrides(t.Context())); len(all) != 0 {
		t.Errorf("overrides %+v after unsetting", all)
	}
	changes := must[[]store.ConfigChange](t)(s.ConfigChanges(t.Context(), store.Query{Function: "log.level"}))
	if len(changes) != 3 || changes[0].After != nil || string(changes[0].Before) != `"info"` {
		t.Errorf("history %+v", changes)
	}
}

func testTokens(t *testing.T, s store.Store) {
	now := moment()
	tok, secret := store.NewToken("ci", store.Operator, now.Add(time.Hour), now)
	ok(t, s.AddToken(t.Context(), tok, by()))
	wantError(t, s.AddToken(t.Context(), tok, by()), store.ErrConflict)
	id, found := store.TokenID(secret)
	if !found || id != tok.ID {
		t.Fatalf("the secret names token %q, want %q", id, tok.ID)
	}
	got := must[store.Token](t)(s.Token(t.Context(), id))
	ok(t, got.Check(secret, now))
	wantError(t, got.Check(secret, now.Add(time.Hour)), store.ErrTokenExpired)
	wantError(t, got.Check(secret+"0", now), store.ErrTokenWrong)
	ok(t, s.SaveStates(t.Context(), []store.State{store.TokenUse{ID: id, At: now.Add(time.Minute)}}))
	ok(t, s.SaveStates(t.Context(), []store.State{store.TokenUse{ID: id, At: now}}))
	ok(t, s.RevokeToken(t.Context(), id, by()))
	ok(t, s.RevokeToken(t.Context(), id, by()))
	got = must[store.Token](t)(s.Token(t.Context(), id))
	wantError(t, got.Check(secret, now), store.ErrTokenRevoked)
	if !got.LastUsedAt.Equal(now.Add(time.Minute)) || got.CreatedBy != "ada" {
		t.Errorf("token %+v", got)
	}
	wantError(t, s.RevokeToken(t.Context(), "nobody", by()), store.ErrNotFound)
	if all := must[[]store.Token](t)(s.Tokens(t.Context())); len(all) != 1 {
		t.Errorf("%d tokens", len(all))
	}
	if log := must[[]store.AuditEntry](t)(s.AuditLog(t.Context(), store.Query{Function: id})); len(log) != 2 {
		t.Errorf("%d audit lines, want creation and revocation", len(log))
	}
}

func testAudit(t *testing.T, s store.Store) {
	e := store.AuditEntry{
		ID: store.NewID(), At: moment(), Actor: by(), Action: "function.scale", Target: "api",
		Before: json.RawMessage(`{"instances":1}`), After: json.RawMessage(`{"instances":2}`), Reason: "sale begins at noon", Error: "max_instances reached",
	}
	ok(t, s.Audit(t.Context(), e))
	ok(t, s.Audit(t.Context(), e))
	same(t, "audit log", must[[]store.AuditEntry](t)(s.AuditLog(t.Context(), store.Query{})), []store.AuditEntry{e})
}

func testSessions(t *testing.T, s store.Store) {
	for want := int64(1); want <= 3; want++ {
		if got := must[int64](t)(s.ClearSessions(t.Context(), "api", by())); got != want {
			t.Errorf("generation %d, want %d", got, want)
		}
	}
	same(t, "generations", must[map[string]int64](t)(s.SessionGenerations(t.Context())), map[string]int64{"api": 3})
}

func testCleanup(t *testing.T, s store.Store) {
	old, young := Action("api"), Action("api")
	old.CreatedAt, young.CreatedAt = time.Now().Add(-31*24*time.Hour), time.Now()
	var facts []store.Fact
	for range 1500 { // more than one step
		facts = append(facts, store.Event{ID: store.NewID(), Kind: "x", At: old.CreatedAt})
	}
	for batch := range slices.Chunk(append(facts, old, young), 256) { // as the outbox does
		ok(t, s.AppendFacts(t.Context(), batch))
	}
	ok(t, s.Audit(t.Context(), store.AuditEntry{Action: "x", At: old.CreatedAt}))
	want := map[string]int64{"holdfast_events": 1500, "scaling_actions": 1}
	for _, clean := range []func(context.Context, time.Duration) ([]store.OldRows, error){s.Outdated, s.Cleanup} {
		list, err := clean(t.Context(), store.DefaultRetention)
		ok(t, err)
		for _, r := range list {
			if r.Rows != want[r.Table] {
				t.Errorf("%d old rows of %s, want %d", r.Rows, r.Table, want[r.Table])
			}
		}
		if len(list) < 8 {
			t.Errorf("only %d tables are looked at", len(list))
		}
	}
	if got := must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), store.Query{})); len(got) != 1 || got[0].ID != young.ID {
		t.Errorf("actions %+v, want the young one", got)
	}
	if got := must[[]store.Event](t)(s.Events(t.Context(), store.Query{})); len(got) != 0 {
		t.Errorf("%d old events are left", len(got))
	}
	if got := must[[]store.AuditEntry](t)(s.AuditLog(t.Context(), store.Query{})); len(got) != 1 {
		t.Error("the audit log must outlive the cleanup of facts")
	}
	_, err := s.Cleanup(t.Context(), time.Second)
	wantError(t, err, store.ErrRejected)
	_, err = s.Outdated(t.Context(), time.Second)
	wantError(t, err, store.ErrRejected)
}
