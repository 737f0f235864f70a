package breaker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// word is what the closed path needs, in one atomic: the state (2 bits), the consecutive failures of a closed breaker
// (24 bits) and the generation (38 bits). Only holders of the lock change the state and the generation or raise the
// count; a success clears the count without the lock, by compare-and-swap.
type word uint64

const (
	stateBits   = 2
	failureBits = 24
	maxFailures = 1<<failureBits - 1
)

func makeWord(generation uint64, s State, failures int) word {
	return word(generation<<(stateBits+failureBits) | uint64(failures)<<stateBits | uint64(s))
}

func (w word) state() State       { return State(w & (1<<stateBits - 1)) }
func (w word) failures() int      { return int(w >> stateBits & maxFailures) }
func (w word) generation() uint64 { return uint64(w >> (stateBits + failureBits)) }

// Permit is the right to make one call. It must be returned to Done exactly once. The zero value is no permit, and Done
// ignores it.
type Permit struct {
	generation uint64
	probe      uint64
}

// Probe reports whether the call tests a half-open breaker.
func (p Permit) Probe() bool { return p.probe != 0 }

// call is what Done is told.
type call struct {
	outcome Outcome
	took    time.Duration
}

// probe is a half-open permit that has not come back.
type probe struct {
	id uint64
	at time.Time
}

// Breaker guards one callee. All methods are safe for concurrent use. Make one with New.
type Breaker struct {
	word  atomic.Uint64
	until atomic.Pointer[time.Time] // next attempt of an open breaker; nil when it is forced open
	cfg   atomic.Pointer[Config]    // defaults filled in, never changed in place

	mu        sync.Mutex // guards all below
	window    recorder
	since     time.Time // of the state
	failures  int       // consecutive failures that opened the breaker
	lastFail  time.Time
	openings  int // since it was last closed
	forced    bool
	rule      Rule
	reason    string
	successes int // of this half-open generation
	probes    []probe
	lastProbe uint64

	outbox outbox
}

// New returns a closed breaker. The error is a *ConfigError.
func New(cfg Config) (*Breaker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("make breaker: %w", err)
	}
	cfg = cfg.WithDefaults()
	b := &Breaker{window: newRecorder(cfg.Window)}
	b.cfg.Store(&cfg)
	b.word.Store(uint64(makeWord(1, Closed, 0)))
	return b, nil
}

// Config returns the configuration in force, defaults filled in.
func (b *Breaker) Config() Config { return *b.cfg.Load() }

// Update changes the configuration and keeps the state: a breaker that is open stays open until the NextAttempt it has,
// counted failures and running probes stay counted. What a window holds is kept unless its kind or size changes. A bad
// configuration changes nothing; the error is a *ConfigError.
func (b *Breaker) Update(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("update breaker: %w", err)
	}
	cfg = cfg.WithDefaults()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !cfg.Window.sameShape(b.cfg.Load().Window) {
		b.window = newRecorder(cfg.Window)
	}
	b.cfg.Store(&cfg)
	return nil
}

// Allow asks for a call at now. When it says yes, the Permit must go to Done. A no costs nothing and needs no Done.
func (b *Breaker) Allow(now time.Time) (Permit, bool) {
	w := word(b.word.Load())
	if w.state() == Closed {
		return Permit{generation: w.generation()}, true
	}
	if w.state() == Open && !b.due(now) {
		return Permit{}, false
	}
	return b.allowProbe(now)
}

func (b *Breaker) due(now time.Time) bool {
	until := b.until.Load()
	return until != nil && !now.Before(*until)
}

// allowProbe looks again under the lock, since the state may have changed meanwhile.
func (b *Breaker) allowProbe(now time.Time) (Permit, bool) {
	b.mu.Lock()
	cfg := b.cfg.Load()
	changed := false
	w := word(b.word.Load())
	if w.state() == Open {
		in := Inputs{State: Open, Due: b.due(now)}
		d := cfg.Decide(in)
		changed = d.Rule != RuleNone && b.apply(cfg, d, in, now)
		w = word(b.word.Load())
	}
	p, ok := Permit{generation: w.generation()}, w.state() == Closed
	if w.state() == HalfOpen {
		p.probe, ok = b.takeProbe(cfg, now)
	}
	b.mu.Unlock()
	if changed {
		b.outbox.deliver(cfg.OnEvent)
	}
	if !ok {
		return Permit{}, false
	}
	return p, true
}

// Done reports how the call of a permit ended and how long it took, once per permit. Results of an older generation and
// of a probe that was given up or returned before are ignored.
func (b *Breaker) Done(p Permit, o Outcome, took time.Duration, now time.Time) {
	w := word(b.word.Load())
	if w.generation() != p.generation {
		return
	}
	cfg := b.cfg.Load()
	if w.state() == Closed && (o == Ignored || o == Success && cfg.Window.Kind == WindowNone) {
		if o == Success {
			b.clearFailures(w)
		}
		return
	}
	b.mu.Lock()
	cfg = b.cfg.Load()
	changed := b.record(cfg, p, call{o, took}, now)
	b.mu.Unlock()
	if changed {
		b.outbox.deliver(cfg.OnEvent)
	}
}

// clearFailures sets the count to zero as long as the generation is that of w.
func (b *Breaker) clearFailures(w word) {
	for generation := w.generation(); w.failures() != 0; w = word(b.word.Load()) {
		if w.generation() != generation || b.word.CompareAndSwap(uint64(w), uint64(makeWord(generation, w.state(), 0))) {
			return
		}
	}
}

// addFailure raises the count and returns it. Requires the lock.
func (b *Breaker) addFailure() int {
	for {
		w := word(b.word.Load())
		n := min(w.failures()+1, maxFailures)
		if b.word.CompareAndSwap(uint64(w), uint64(makeWord(w.generation(), w.state(), n))) {
			return n
		}
	}
}

// record counts a result and applies what follows from it. Requires the lock.
func (b *Breaker) record(cfg *Config, p Permit, c call, now time.Time) (changed bool) {
	w := word(b.word.Load())
	if w.generation() != p.generation || p.Probe() && !b.returnProbe(cfg, p.probe, now) || c.outcome == Ignored {
		return false
	}
	in := Inputs{State: w.state(), Outcome: c.outcome, Took: c.took}
	if c.outcome == Failure {
		b.lastFail = now
	}
	if w.state() == HalfOpen {
		b.countProbe(&in)
	} else {
		b.countCall(cfg, &in, now)
	}
	d := cfg.Decide(in)
	return d.Rule != RuleNone && b.apply(cfg, d, in, now)
}

func (b *Breaker) countProbe(in *Inputs) {
	if in.Outcome == Success {
		b.successes++
	}
	in.Successes = b.successes
}

func (b *Breaker) countCall(cfg *Config, in *Inputs, now time.Time) {
	var seen bits
	if in.Outcome == Failure {
		in.Failures, seen = b.addFailure(), bitFailed
	} else {
		b.clearFailures(word(b.word.Load()))
	}
	if cfg.slow(in.Took) {
		seen |= bitSlow
	}
	in.Window = b.window.record(seen, now)
}

// takeProbe gives out a half-open permit if fewer than allowed are out, after giving up those that are overdue.
// Requires the lock.
func (b *Breaker) takeProbe(cfg *Config, now time.Time) (id uint64, ok bool) {
	b.giveUpProbes(cfg, now)
	if len(b.probes) >= cfg.HalfOpenMaxCalls {
		return 0, false
	}
	b.lastProbe++
	b.probes = append(b.probes, probe{id: b.lastProbe, at: now})
	return b.lastProbe, true
}

func (b *Breaker) giveUpProbes(cfg *Config, now time.Time) {
	b.probes = slices.DeleteFunc(b.probes, func(p probe) bool { return cfg.overdue(p, now) })
}

func (c *Config) overdue(p probe, now time.Time) bool { return now.Sub(p.at) >= c.HalfOpenTimeout }

// returnProbe takes a permit back and reports whether it was still out and in time. Requires the lock.
func (b *Breaker) returnProbe(cfg *Config, id uint64, now time.Time) bool {
	i := slices.IndexFunc(b.probes, func(p probe) bool { return p.id == id })
	if i < 0 {
		return false
	}
	inTime := !cfg.overdue(b.probes[i], now)
	b.probes = slices.Delete(b.probes, i, i+1)
	return inTime
}

// runningProbes counts the permits that are out and in time. Requires the lock.
func (b *Breaker) runningProbes(cfg *Config, now time.Time) (n int) {
	for _, p := range b.probes {
		if !cfg.overdue(p, now) {
			n++
		}
	}
	return n
}

// draw gives the jitter of one opening. Requires the lock.
func (c *Config) draw() float64 {
	if c.Rand != nil {
		return c.Rand()
	}
	return rand.Float64()
}
