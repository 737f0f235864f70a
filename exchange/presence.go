package exchange

import (
	"sync/atomic"
	"time"
)

// presence counts those who are inside and adds up the time they spend there,
// exactly: a look ten times a second would not see what comes and goes in
// between. Number and time share a word, so that whoever reads one has the other
// as of the same moment, and coming and going cost one atomic addition, as a mere
// counter would:
//
//	bits 0 to 21    how many are inside
//	bits 22 to 63   times of leaving less times of coming, in ticks, modulo 2^42
//
// At time T the time spent by all, also by those inside, is the second part plus
// the first times T. It overflows by design: what counts is how much it grew.
type presence struct {
	word  atomic.Int64
	epoch atomic.Pointer[time.Time] // of ticks: of whoever came first
}

const (
	presenceBits = 22
	presenceMask = 1<<presenceBits - 1 // 4 million inside: more than a process can have open
	tickBits     = 12                  // a tick is 4.096 us
)

// tick is a time in ticks.
func (p *presence) tick(now time.Time) int64 {
	epoch := p.epoch.Load()
	if epoch == nil {
		epoch = p.begin(now)
	}
	return int64(now.Sub(*epoch)) >> tickBits
}

func (p *presence) begin(now time.Time) *time.Time {
	p.epoch.CompareAndSwap(nil, &now)
	return p.epoch.Load()
}

func (p *presence) come(tick int64)  { p.word.Add(1 - tick<<presenceBits) }
func (p *presence) leave(tick int64) { p.word.Add(tick<<presenceBits - 1) }

// inside is how many are there.
func (p *presence) inside() int64 { return p.word.Load() & presenceMask }

// Presence is how many exchanges a function has had, and for how long, up to a
// moment. It is for [Presence.Since].
type Presence struct {
	at             int64 // in ticks, as all that follows
	spent          int64 // inside; modulo 2^42
	held, queued   int64 // by those inside in lines for an instance or a probe; in the queue for a place
	inside, inHeld int64 // how many
	inQueue        int64
}

// Presence returns how things stand. Safe for concurrent use.
func (f *Function) Presence(now time.Time) Presence { return f.admission.presence(now) }

func (a *admission) presence(now time.Time) Presence {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, word := a.present.tick(now), a.present.word.Load()
	inside := word & presenceMask
	return Presence{
		at: t, inside: inside, spent: word>>presenceBits + inside*t,
		held: a.probes.spent(t) + a.instances.spent(t), inHeld: int64(a.probes.n + a.instances.n),
		queued: a.places.spent(t), inQueue: int64(a.places.n),
	}
}

// Count returns how many exchanges there were at that moment: inside, and in the
// queue for a place.
func (p Presence) Count() int { return int(p.inside + p.inQueue) }

// Since returns how many exchanges were at work and how many waited, for a
// place, a probe or an instance, on average since an earlier moment: the integral
// over time, to a few microseconds. Where no time has passed it is how many there
// are. Moments must not be further apart than 9 million seconds of exchanges
// together.
func (p Presence) Since(before Presence) (working, waiting float64) {
	over := p.at - before.at
	if over <= 0 {
		return float64(max(p.inside-p.inHeld, 0)), float64(p.inHeld + p.inQueue)
	}
	const spare = presenceBits // the difference as a number of 42 bits with a sign
	spent := (p.spent - before.spent) << spare >> spare
	held, queued := p.held-before.held, p.queued-before.queued
	return float64(max(spent-held, 0)) / float64(over), float64(max(held+queued, 0)) / float64(over)
}
