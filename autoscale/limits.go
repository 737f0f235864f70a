package autoscale

// held lets through only what was wanted all the time: the most careful wish of
// Up.Hold or Down.Hold.
func (d *deciding) held(want int) int {
	switch {
	case want > d.current && d.Up.Never:
		return d.constrain(ByHold, want, d.current, "adding instances is forbidden")
	case want < d.current && d.Down.Never:
		return d.constrain(ByHold, want, d.current, "removing instances is forbidden")
	case want > d.current && len(d.next.Lowest) > 0 && !d.panicking:
		careful := max(d.current, min(want, d.next.Lowest[0].Instances))
		return d.constrain(ByHold, want, careful, "fewer were wanted within the last %s", d.Up.Hold)
	case want < d.current && len(d.next.Highest) > 0 && want > 0: // none at all has waited Zero.After
		careful := min(d.current, max(want, d.next.Highest[0].Instances))
		return d.constrain(ByHold, want, careful, "more were wanted within the last %s", d.Down.Hold)
	}
	return want
}

// rated bounds how many come and go in a time.
func (d *deciding) rated(want int) int {
	switch {
	case want > d.current:
		n := max(d.current, d.reach(&d.Up, 1))
		return d.constrain(ByRate, want, min(want, n), "no more than %d instances so soon", n)
	case want < d.current:
		n := min(d.current, d.reach(&d.Down, -1))
		return d.constrain(ByRate, want, max(want, n), "no fewer than %d instances so soon", n)
	}
	return want
}

// reach is how far the rates of a direction, 1 or -1, allow to go from where
// the instances were when each rate's time began.
func (d *deciding) reach(l *Limits, direction int) int {
	farthest := 0
	for i, r := range l.Rates {
		added, removed := d.next.moved(d.now, r.Per)
		begin := max(d.current-added+removed, 0)
		n := begin + direction*r.instances(begin, direction)
		if farther := (n-farthest)*direction > 0; i == 0 || farther != l.Careful {
			farthest = n
		}
	}
	return farthest
}

// instances is how many a rate allows to come or go, at least one.
func (r *Rate) instances(begin, direction int) int {
	share := float64(begin) * r.Percent / 100
	n := int(share)
	if direction > 0 {
		n = whole(share)
	}
	return max(r.Instances, n, 1)
}

// cooled rests after a change.
func (d *deciding) cooled(want int) int {
	last := d.next.lastChange()
	if d.Cooldown <= 0 || last.IsZero() || want > d.current && d.panicking {
		return want
	}
	left := d.Cooldown - d.now.Sub(last)
	if left <= 0 {
		return want
	}
	return d.constrain(ByCooldown, want, d.current, "the last change was %s ago", d.now.Sub(last).Round(second))
}

// unflapped stops removing when there were too many changes.
func (d *deciding) unflapped(want int) int {
	n := len(d.next.Changes)
	if d.ChangesPerHour <= 0 || want >= d.current || n < d.ChangesPerHour {
		return want
	}
	return d.constrain(ByFlapBudget, want, d.current, "%d changes within the hour", n)
}

// woken undoes what stood against the first instance.
func (d *deciding) woken(want int) int {
	if !d.waking || want >= 1 {
		return want
	}
	return d.constrain(ByZero, want, 1, "somebody waits, and there is no instance")
}
