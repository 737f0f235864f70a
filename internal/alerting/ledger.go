package alerting

import (
	"maps"
	"slices"
	"time"

	"holdfast/internal/alerting/channel"
)

// ledger is what is known of channels beyond the life of their senders, which
// end with a reload and with the process. It belongs to Run alone.
type ledger struct {
	known   map[string]bool      // there was a sender, in this process or before
	refused map[string]string    // how they refused before the restart
	owed    map[string]time.Time // see sender.owed, of those without a sender
	number  uint64               // the highest that a queue has given
}

func newLedger() ledger {
	return ledger{known: map[string]bool{}, refused: map[string]string{}, owed: map[string]time.Time{}}
}

func (l *ledger) restore(k *kept) {
	for _, name := range k.Channels {
		l.known[name] = true
	}
	maps.Copy(l.refused, k.Refused)
	maps.Copy(l.owed, k.Owed)
	if k.Number < 1<<62 { // else it is damage: numbers are nanoseconds since 1970
		l.number = max(l.number, k.Number)
	}
}

// owes takes what is owed to a channel that begins; zero: nothing is. Who has
// never been told anything is owed what fires.
func (l *ledger) owes(name string, now time.Time) time.Time {
	since := l.owed[name]
	if since.IsZero() && !l.known[name] {
		since = now
	}
	delete(l.owed, name)
	l.known[name] = true
	return since
}

func (l *ledger) ended(name string, one *sender) {
	if since := one.owes(); !since.IsZero() {
		l.owed[name] = since
	}
	l.number = max(l.number, one.queue.last())
}

// refused are the channels that refuse, and how.
func (s *Service) refused() map[string]string {
	refused := maps.Clone(s.channels.refused)
	for _, d := range s.Deliveries() {
		if d.Hopeless {
			refused[d.Name] = d.Trouble
		}
	}
	return refused
}

// note writes what is known of the channels into k.
func (s *Service) note(k *kept) {
	k.Refused, k.Owed, k.Number = s.refused(), maps.Clone(s.channels.owed), s.channels.number
	k.Channels = slices.Sorted(maps.Keys(s.channels.known))
	for _, one := range s.all() {
		k.Number = max(k.Number, one.queue.last())
		if since := one.owes(); !since.IsZero() {
			k.Owed[one.channel.Name()] = since
		}
	}
}

// settleDebts tells channels once more what fires, and what has ended since they
// missed something: those that refused and take notifications again, those whose
// queue was damaged, and new ones.
func (s *Service) settleDebts(now time.Time) {
	for _, one := range s.all() {
		since, due := one.debt(now)
		if !due {
			continue
		}
		s.mu.Lock()
		alerts := s.book.standing(since, fingerprint(ChannelFailing, "", "", one.channel.Name()))
		s.book.changed = true
		s.mu.Unlock()
		if len(alerts) > 0 {
			one.pay(now)
		}
		for some := range slices.Chunk(alerts, maxAlerts) {
			n := channel.Notification{Group: "holdfast", At: now, Alerts: some}
			n.ID = notificationID("debt "+one.channel.Name(), &n, uint64(now.UnixNano()))
			s.put(one, &n)
		}
	}
}

// standing is what was told and fires, and what has ended since; all but one.
func (b *Book) standing(since time.Time, but string) []channel.Alert {
	var list []*state
	for _, s := range b.states {
		if s.loud() && s.Told && s.Fingerprint != but {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, worse)
	var alerts []channel.Alert
	for _, s := range list {
		alerts = append(alerts, s.Alert)
	}
	for i := range b.recent {
		if b.recent[i].Ended.After(since) && b.recent[i].Fingerprint != but {
			alerts = append(alerts, b.recent[i])
		}
	}
	return alerts
}
