package breaker_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast/breaker"
)

// model is the breaker as one would write it for one goroutine and without a thought for speed.
type model struct {
	state               breaker.State
	generation          int
	failures, successes int
	openings            int
	forced              bool
	next                time.Time
	running             map[int]time.Time // probes by ticket
	tickets             map[int]int       // generation by ticket
	last                int
}

func (m *model) enter(s breaker.State) {
	m.state, m.failures, m.successes, m.running = s, 0, 0, map[int]time.Time{}
	m.generation++
	if s == breaker.Closed {
		m.openings, m.forced = 0, false
	}
}

func (m *model) open(now time.Time) {
	m.enter(breaker.Open)
	m.openings++
	stay := time.Minute
	for range min(m.openings-1, 10) {
		stay = min(2*stay, 10*time.Minute)
	}
	m.next = now.Add(stay)
}

func (m *model) allow(now time.Time) (ticket int, ok bool) {
	if m.state == breaker.Open && !m.forced && !now.Before(m.next) {
		m.enter(breaker.HalfOpen)
	}
	if m.state == breaker.Open {
		return 0, false
	}
	m.last++
	if m.state == breaker.HalfOpen {
		for id, at := range m.running {
			if now.Sub(at) >= time.Minute {
				delete(m.running, id)
			}
		}
		if len(m.running) == 3 {
			return 0, false
		}
		m.running[m.last] = now
	}
	m.tickets[m.last] = m.generation
	return m.last, true
}

func (m *model) done(ticket int, o breaker.Outcome, now time.Time) {
	if m.tickets[ticket] != m.generation {
		return
	}
	if m.state == breaker.HalfOpen {
		at, out := m.running[ticket]
		delete(m.running, ticket)
		if !out || now.Sub(at) >= time.Minute {
			return
		}
	}
	switch {
	case o == breaker.Success && m.state == breaker.Closed:
		m.failures = 0
	case o == breaker.Success:
		if m.successes++; m.successes == 3 {
			m.enter(breaker.Closed)
		}
	case o == breaker.Failure && m.state == breaker.Closed:
		if m.failures++; m.failures == 5 {
			m.open(now)
		}
	case o == breaker.Failure:
		m.open(now)
	}
}

// drive takes one random step on the breaker and on the model.
func drive(h *bench, m *model, r *rand.Rand, out map[int]breaker.Permit) {
	h.t.Helper()
	h.wait(time.Duration(r.Int64N(int64(10 * time.Second))))
	switch n := r.IntN(1000); {
	case n < 5:
		h.ForceOpen("drill", h.now)
		if !m.forced {
			m.enter(breaker.Open)
		}
		m.forced = true
	case n < 15:
		h.Reset("drill", h.now)
		m.enter(breaker.Closed)
	case n < 500:
		p, ok := h.Allow(h.now)
		ticket, want := m.allow(h.now)
		if ok != want {
			h.t.Fatalf("%s: allowed %v, want %v", h.State(), ok, want)
		}
		if ok {
			out[ticket] = p
		}
	default:
		if len(out) == 0 {
			return
		}
		tickets := slices.Sorted(maps.Keys(out))
		ticket, o := tickets[r.IntN(len(tickets))], breaker.Outcome(r.IntN(3))
		h.done(out[ticket], o)
		m.done(ticket, o, h.now)
		delete(out, ticket)
	}
}

func TestTheBreakerAgreesWithANaiveModel(t *testing.T) {
	t.Parallel()
	seen := map[breaker.Rule]int{}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 2))
		h := newBench(t, breaker.Config{JitterPercent: -1})
		m := &model{running: map[int]time.Time{}, tickets: map[int]int{}}
		out := map[int]breaker.Permit{}
		for step := range 3000 {
			drive(h, m, r, out)
			s := h.Snapshot(h.now)
			if s.State != m.state || s.Forced != m.forced || s.Openings != m.openings || s.HalfOpenSuccesses != m.successes {
				t.Fatalf("seed %d step %d: breaker %+v, model %s forced %v openings %d successes %d",
					seed, step, s, m.state, m.forced, m.openings, m.successes)
			}
			if m.state == breaker.Closed && s.FailureCount != m.failures {
				t.Fatalf("seed %d step %d: %d failures, want %d", seed, step, s.FailureCount, m.failures)
			}
			if m.state == breaker.Open && !m.forced && !s.NextAttempt.Equal(m.next) {
				t.Fatalf("seed %d step %d: next attempt %s, want %s", seed, step, s.NextAttempt, m.next)
			}
		}
		for _, e := range h.events {
			seen[e.Rule]++
		}
	}
	for _, rule := range []breaker.Rule{
		breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue, breaker.RuleProbesSucceeded,
		breaker.RuleProbeFailed, breaker.RuleForced, breaker.RuleReset,
	} {
		if seen[rule] < 10 {
			t.Errorf("rule %s was seen %d times: the walk is too tame", rule, seen[rule])
		}
	}
}
