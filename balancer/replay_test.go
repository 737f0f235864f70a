package balancer_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/balancer"
)

// 10,000 picks over all strategies, in sets that live: instances fail, fill up,
// drain, ramp and come back. The records are kept and replayed at the end, when
// everything they were based on has changed.
func TestEveryPickReplays(t *testing.T) {
	t.Parallel()
	var records []balancer.Pick
	for _, s := range balancer.Strategies() {
		for _, n := range []int{1, 2, 7, 30} {
			records = append(records, liveLife(t, s, n, 300)...)
		}
	}
	if len(records) < 10_000 {
		t.Fatalf("only %d records", len(records))
	}
	nobody, rules := 0, map[balancer.Rule]int{}
	for k := range records {
		p := &records[k]
		if got := p.Replay(); got != p.Instance {
			t.Fatalf("record %d (%s, %s): replay chose %v, live was %v", k, p.Strategy, p.Rule, got, p.Instance)
		}
		if p.Instance == nil {
			nobody++
		}
		rules[p.Rule]++
	}
	for _, r := range []balancer.Rule{
		balancer.RuleStrategy, balancer.RuleAffinity, balancer.RulePanic, balancer.RuleSpillover, balancer.RuleOnly,
	} {
		if rules[r] == 0 {
			t.Errorf("no record was made by rule %s", r)
		}
	}
	t.Logf("%d records, %d without a result, rules %v", len(records), nobody, rules)
}

func liveLife(t *testing.T, s balancer.Strategy, n, picks int) []balancer.Pick {
	t.Helper()
	var specs []balancer.Spec
	for k := range n {
		specs = append(specs, balancer.Spec{
			ID: fmt.Sprint("i", k), Weight: 1 + k%5, Priority: k % 4 / 3, MaxInFlight: k % 3 * 4,
		})
	}
	f := newFixture(t, balancer.Config{
		Strategy: s, PanicThreshold: 0.4, SlowStart: balancer.SlowStart{Window: 5 * time.Second},
	}, specs...)
	records := make([]balancer.Pick, 0, picks)
	for range picks {
		f.wait(time.Duration(f.rng.IntN(50)) * time.Millisecond)
		p := balancer.Pick{Draw: f.rng.Uint64(), Key: f.rng.Uint64()}
		for range f.rng.IntN(3) {
			p.Tried = append(p.Tried, f.all[f.rng.IntN(n)])
		}
		if f.rng.IntN(10) == 0 {
			p.Prefer = f.all[f.rng.IntN(n)]
		}
		f.set.Pick(&p, f.now)
		records = append(records, p)
		f.shake(p.Instance)
	}
	return records
}

// shake does something to the set at random.
func (f *fixture) shake(picked *balancer.Instance) {
	i := f.all[f.rng.IntN(len(f.all))]
	switch f.rng.IntN(12) {
	case 0:
		f.down(i)
	case 1:
		f.set.SetDraining(i, f.rng.IntN(3) == 0, "shaken", f.now)
	case 2, 3, 4:
		f.up(i)
	case 5:
		f.fail(i, balancer.Timeout, 1+f.rng.IntN(5))
	case 6:
		f.set.Replace(f.all, f.now)
	default:
		if picked != nil {
			f.set.Begin(picked, f.now)
			f.set.Observe(picked, balancer.Result{Latency: time.Duration(f.rng.IntN(1e8))}, f.now)
		}
		if i.InFlight() > 0 {
			f.set.Release(i, f.now)
		}
	}
}

func TestAForgedRecordDoesNotReplay(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, balancer.Config{Strategy: s}, same(40)...)
			p := f.pick()
			forged := f.all[0]
			if p.Instance == forged {
				forged = f.all[1]
			}
			for k := range p.N {
				p.Considered[k].Instance = forged
			}
			if got := p.Replay(); got != nil {
				t.Errorf("replay believed candidates that were never drawn and chose %s", got.ID())
			}
		})
	}
}
