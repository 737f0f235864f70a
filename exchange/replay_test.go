package exchange_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

// randomRecords makes records of every kind: all strategies, failures, retries,
// fallbacks, affinity, panic, spillover, slow start and queueing.
func randomRecords(t *testing.T, atLeast int) []exchange.Record {
	t.Helper()
	var all []exchange.Record
	for seed := uint64(0); len(all) < atLeast; seed++ {
		for _, s := range balancer.Strategies() {
			w := newWorld(t, seed*100+uint64(s), func(c *exchange.FunctionConfig) {
				c.Balancer.Strategy = s
				c.Balancer.SlowStart.Window = time.Duration(seed%2) * time.Minute
				c.Policy.Affinity = []exchange.Affinity{{}, {Cookie: "hf"}, {ClientIP: true}}[seed%3]
			})
			for range 400 {
				w.step()
			}
			w.finish()
			all = append(all, w.seen...)
		}
	}
	return all
}

func TestRecordsReproduceTheirDecisions(t *testing.T) {
	t.Parallel()
	all := randomRecords(t, 5000)
	kinds := map[string]int{}
	for i := range all {
		rec := &all[i]
		if err := rec.Replay(); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(rec.Explain(), "\n"))
		}
		for n := range rec.Attempts[:rec.N] {
			a := &rec.Attempts[n]
			kinds["strategy "+a.Pick.Strategy.String()]++
			kinds["rule "+a.Pick.Rule.String()]++
			kinds["retry: "+a.Decision.Reason.String()]++
		}
		for _, v := range rec.Visits[:rec.V] {
			kinds["admission "+v.Verdict.String()]++
			if v.Left != exchange.ReasonNone {
				kinds["handed over"]++
			}
		}
	}
	t.Logf("%d records: %v", len(all), kinds)
	for _, kind := range []string{
		"strategy p2c", "strategy round-robin", "strategy weighted-round-robin", "strategy least-connections", "strategy response-time",
		"strategy health-based", "strategy prequal", "strategy consistent-hash", "strategy random",
		"rule affinity", "rule panic", "rule spillover", "rule only-one", "rule strategy",
		"retry: tried again on another instance", "retry: tried again after a backoff", "retry: no attempts are left",
		"retry: the request is not idempotent and may have been processed", "retry: the request body is no longer held",
		"admission entered", "admission queued", "admission refused", "handed over",
	} {
		if kinds[kind] == 0 {
			t.Errorf("no record of %q: the test does not get there", kind)
		}
	}
}

// A replay that cannot fail proves nothing.
func TestAChangedInputIsNoticed(t *testing.T) {
	t.Parallel()
	all := randomRecords(t, 5000)
	last := func(r *exchange.Record) *exchange.AttemptRecord { return &r.Attempts[r.N-1] }
	for name, c := range map[string]struct {
		fits   func(*exchange.Record) bool
		change func(*exchange.Record)
		mostly bool // a pool of one has one turn only
	}{
		"a place was free": {
			func(r *exchange.Record) bool { return r.Visits[0].Verdict == exchange.Queued },
			func(r *exchange.Record) { r.Visits[0].Place = exchange.Place{Limit: 1} },
			false,
		},
		"the place was taken": {
			func(r *exchange.Record) bool {
				return r.Visits[0].Verdict == exchange.Entered && r.Visits[0].Place.Limit > 0
			},
			func(r *exchange.Record) { r.Visits[0].Place.InFlight = 1000 },
			false,
		},
		"another instance was picked": {
			func(r *exchange.Record) bool { return r.N > 1 && r.Attempts[0].Instance != last(r).Instance },
			func(r *exchange.Record) { r.Attempts[0].Instance = last(r).Instance },
			false,
		},
		"another turn": {
			func(r *exchange.Record) bool {
				return r.N > 0 && last(r).Pick.Strategy == balancer.RoundRobin && last(r).Pick.Available > 1 && last(r).Pick.Rule == balancer.RuleStrategy
			},
			func(r *exchange.Record) { last(r).Pick.Cursor++ },
			true,
		},
		"the other one is cheaper": {
			func(r *exchange.Record) bool {
				p := &r.Attempts[0].Pick
				return r.N > 0 && p.Strategy == balancer.P2C && p.N == 2 && p.Rule == balancer.RuleStrategy &&
					!p.Considered[0].Skipped && !p.Considered[1].Skipped
			},
			func(r *exchange.Record) {
				p := &r.Attempts[0].Pick
				for k := range p.N {
					p.Considered[k].Cost = map[bool]float64{true: 2, false: 1}[p.Considered[k].Instance == p.Instance]
				}
			},
			false,
		},
		"no affinity": {
			func(r *exchange.Record) bool { return r.N > 0 && last(r).Pick.Rule == balancer.RuleAffinity },
			func(r *exchange.Record) { last(r).Pick.Prefer = nil },
			false,
		},
		"the budget was spent": {
			func(r *exchange.Record) bool { return r.N > 0 && r.Attempts[0].Decision.Retry },
			func(r *exchange.Record) { r.Attempts[0].Retry.Budget = false },
			false,
		},
		"the client had left": {
			func(r *exchange.Record) bool { return r.N > 0 && r.Attempts[0].Decision.Retry },
			func(r *exchange.Record) { r.Attempts[0].Retry.Kind = retry.Canceled },
			false,
		},
		"there was an attempt left": {
			func(r *exchange.Record) bool {
				return r.N > 0 && last(r).Decision.Reason == retry.NoAttemptsLeft
			},
			func(r *exchange.Record) { last(r).Retry.Try = -100 },
			false,
		},
		"the rule had said no": {
			func(r *exchange.Record) bool { return r.N > 1 && r.V == 1 },
			func(r *exchange.Record) {
				r.Attempts[0].Retry.Kind = retry.Canceled
				r.Attempts[0].Decision = retry.Decision{Reason: retry.ClientLeft}
			},
			false,
		},
	} {
		fit, noticed := 0, 0
		for i := range all {
			rec := all[i]
			if rec.V == 0 || !c.fits(&rec) {
				continue
			}
			fit++
			if c.change(&rec); rec.Replay() != nil {
				noticed++
			}
		}
		if fit == 0 || noticed < fit && !c.mostly || noticed < fit/2 {
			t.Errorf("%s: noticed in %d of %d records", name, noticed, fit)
		}
	}
}

// Random changes to what a pick looked at: most change its result.
func TestAChangedDrawIsMostlyNoticed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50, func(c *exchange.FunctionConfig) { c.Balancer.Strategy = balancer.Random })
	noticed := 0
	for n := range 100 {
		r.get().finish()
		rec := r.seen[n]
		rec.Attempts[0].Pick.Draw ^= 1 << (n % 64)
		if rec.Replay() != nil {
			noticed++
		}
	}
	if noticed < 90 {
		t.Errorf("noticed in %d of 100 records", noticed)
	}
}
