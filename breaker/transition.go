package breaker

import "time"

// apply enters the state a decision names and returns true, since an event may wait for delivery. Requires the lock.
func (b *Breaker) apply(cfg *Config, d Decision, in Inputs, now time.Time) (changed bool) {
	e := Event{At: now, From: in.State, To: d.To, Rule: d.Rule, Reason: cfg.sentence(d, in), Inputs: in}
	if d.To == Open {
		if in.State == Closed {
			b.failures = in.Failures
		}
		b.openings++
		e.Openings = b.openings
		if b.openings > 1 {
			e.Draw = cfg.draw()
		}
		next := now.Add(cfg.OpenFor(e.Openings, e.Draw))
		b.until.Store(&next)
		e.NextAttempt = next
	}
	b.enter(cfg, e)
	b.announce(cfg, e)
	return true
}

// enter starts a new generation in the state of the event. Requires the lock; until must be set before, since callers
// read it as soon as the state says open.
func (b *Breaker) enter(cfg *Config, e Event) {
	if e.To == Closed {
		b.failures, b.openings, b.forced = 0, 0, false
		b.window = newRecorder(cfg.Window)
		b.until.Store(nil)
	}
	b.successes, b.probes = 0, b.probes[:0]
	b.since, b.rule, b.reason = e.At, e.Rule, e.Reason
	b.word.Store(uint64(makeWord(word(b.word.Load()).generation()+1, e.To, 0)))
}

// announce queues an event; the lock keeps the order. Whoever calls it must deliver once the lock is free.
func (b *Breaker) announce(cfg *Config, e Event) {
	if cfg.OnEvent == nil {
		return
	}
	e.FailureCount = b.failures
	b.outbox.push(e)
}

// ForceOpen refuses every call until Reset, whatever the results say. The reason is kept for people. Forcing a breaker
// that is forced already replaces the reason and sends no event.
func (b *Breaker) ForceOpen(reason string, now time.Time) {
	cfg := b.forceOpen(reason, now)
	b.outbox.deliver(cfg.OnEvent)
}

func (b *Breaker) forceOpen(reason string, now time.Time) *Config {
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg, w := b.cfg.Load(), word(b.word.Load())
	if b.forced {
		b.reason = reason
		return cfg
	}
	if w.state() == Closed {
		b.failures = w.failures()
	}
	b.forced = true
	b.until.Store(nil)
	e := Event{At: now, From: w.state(), To: Open, Rule: RuleForced, Reason: reason}
	b.enter(cfg, e)
	b.announce(cfg, e)
	return cfg
}

// Reset closes the breaker and forgets its counts, also when it was forced open. Resetting a closed breaker forgets the
// counts and sends no event.
func (b *Breaker) Reset(reason string, now time.Time) {
	cfg := b.reset(reason, now)
	b.outbox.deliver(cfg.OnEvent)
}

func (b *Breaker) reset(reason string, now time.Time) *Config {
	b.mu.Lock()
	defer b.mu.Unlock()
	cfg := b.cfg.Load()
	e := Event{At: now, From: word(b.word.Load()).state(), To: Closed, Rule: RuleReset, Reason: reason}
	b.enter(cfg, e)
	if e.From != Closed {
		b.announce(cfg, e)
	}
	return cfg
}
