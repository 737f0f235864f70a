package breaker

import "time"

// Hasten lets an open breaker try at now instead of waiting out its time,
// because something outside says that the callee may be back. The time open
// grows on as before if the probes fail. A breaker that is not open, or that an
// operator forced open, is left alone.
func (b *Breaker) Hasten(reason string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := b.until.Load()
	if word(b.word.Load()).state() != Open || until == nil || !now.Before(*until) {
		return
	}
	b.until.Store(&now)
	b.reason += "; may try early: " + reason
}
