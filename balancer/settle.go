package balancer

// settle derives the status of i again and tells of every step. Requires b.mu.
func (b *Balancer) settle(i *Instance, by source, reason string, t int64) {
	l := &i.lattice
	was, is := i.tier(), l.tier()
	if is == tierUsable && was != tierUsable {
		l.startRamp(b.cfg.SlowStart.Window, t)
	}
	if is != tierUsable {
		l.ramping = false
	}
	from := i.Status()
	to, _ := l.derive()
	if from == Failed && to == Active {
		b.step(i, Failed, Recovering, by, reason, t)
		from = Recovering
	}
	switch {
	case from != to:
		b.step(i, from, to, by, reason, t)
	case is > max(was, tierUnknown):
		b.emit(Event{
			At: b.when(t), Kind: Ready, Instance: i,
			From: from, To: to, Source: by.String(), Reason: reason,
		})
	}
	l.wasFailed = to == Failed || l.wasFailed && is != tierUsable
	i.place.Store(uint32(is))
}

// step records one change of status. Requires b.mu.
func (b *Balancer) step(i *Instance, from, to Status, by source, reason string, t int64) {
	l := &i.lattice
	l.since, l.last = t, reason
	i.status.Store(uint32(to))
	if len(l.history) == maxHistory {
		copy(l.history, l.history[1:])
		l.history = l.history[:maxHistory-1]
	}
	l.history = append(l.history, transition{at: t, from: from, to: to, by: by, reason: reason})
	b.emit(Event{
		At: b.when(t), Kind: StatusChanged, Instance: i,
		From: from, To: to, Source: by.String(), Reason: reason,
	})
}

// binding is the reason that holds the instance where it is.
func (l *lattice) binding() string {
	switch _, by := l.derive(); by {
	case fromLifecycle, fromHealth, fromDrain, fromEjection:
		return l.reasons[by-1]
	case fromSlowStart:
		return "ramping up: " + l.last
	case fromStart:
	}
	return l.last
}
