package alerting

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/alerting/channel"
)

const (
	maxStates = 10_000 // alerts at a time; that more are not taken is an alert
	maxRecent = 200    // resolved ones that are shown
)

// Book is what alerting remembers: pure, and not safe for concurrent use.
type Book struct {
	rules   map[string]*Rule
	windows []Window
	pace    Pace
	began   time.Time // of this process
	link    func(function string) string

	states   map[string]*state // pending and firing, by fingerprint
	over     []*state          // resolved: until everybody was told, and as long as they explain symptoms
	groups   map[string]*group
	ends     map[string][]time.Time // of each fingerprint, for flapping
	recent   []channel.Alert        // resolved, the newest first
	silences []Silence
	overflow time.Time // when one was not taken, last
	changed  bool      // since it was last kept
}

// NewBook makes an empty one at the start of a process.
func NewBook(now time.Time) *Book {
	return &Book{
		began: now, states: map[string]*state{}, groups: map[string]*group{}, ends: map[string][]time.Time{},
		link: func(string) string { return "" },
	}
}

// Change is what a look made of an alert.
type Change struct {
	Alert    channel.Alert
	Resolved bool
	Muting   Muting
}

// Look takes what all rules found now. Rules that are off or unknown count as
// having found nothing.
func (b *Book) Look(findings []Finding, now time.Time) []Change {
	found := map[string]*Finding{}
	for i := range findings {
		f := &findings[i]
		r := b.rules[f.Rule]
		if r == nil || r.Off || !r.concerns(f.Function) {
			continue
		}
		id := f.fingerprint()
		found[id] = f
		if b.states[id] == nil && !f.Between {
			b.add(begin(f, r, id, now), now)
		}
	}
	var changes []Change
	for _, id := range slices.Sorted(maps.Keys(b.states)) {
		if c, ok := b.lookAt(b.states[id], found[id], now); ok {
			changes = append(changes, c)
		}
	}
	b.mute(now)
	for i := range changes {
		if s := b.states[changes[i].Alert.Fingerprint]; s != nil {
			changes[i].Muting = s.muted
		}
	}
	return changes
}

// add takes a new one. When there are too many, the few about Holdfast and its
// channels still fit.
func (b *Book) add(s *state, now time.Time) {
	if len(b.states) >= maxStates && s.Function != "" {
		b.overflow = now
		return
	}
	b.states[s.Fingerprint] = s
}

// overflowShown is how long it is an alert that others were not taken.
const overflowShown = 10 * time.Minute

// overflowing adds that there are more alerts than are taken. It is about
// Holdfast's own telling, and so an alert of channel.
func (b *Book) overflowing(found []Finding, now time.Time) []Finding {
	if b.overflow.IsZero() || now.Sub(b.overflow) > overflowShown {
		return found
	}
	return append(found, Finding{
		Rule: ChannelFailing, Part: "all channels", Now: true, Severity: channel.Critical, Numbers: map[string]float64{"alerts": float64(len(b.states))},
		Summary: fmt.Sprintf("there are more than %d alerts: what is wrong beyond them is not listed, and nobody is told of it", maxStates),
		Cause:   "a rule that fires for everything, or an outage of all of it", Next: "holdfast alerts; mend what most of them are about, or switch its rule off",
	})
}

func (b *Book) lookAt(s *state, f *Finding, now time.Time) (Change, bool) {
	r := b.rules[s.Rule]
	settling := false
	if r == nil || r.Off || !r.concerns(s.Function) {
		r = &Rule{Name: s.Rule} // its rule was taken away: it ends
	} else {
		settling = now.Sub(b.began) < r.Settle
	}
	what := s.look(f, r, b.ends[s.Fingerprint], settling, now)
	switch what {
	case nothing:
		return Change{}, false
	case dropped:
		delete(b.states, s.Fingerprint)
		return Change{}, false
	case resolved:
		b.finish(s, now)
	case fired:
	}
	if s.Link == "" {
		s.Link = b.link(s.Function)
	}
	b.changed = true
	return Change{Alert: s.Alert, Resolved: what == resolved}, true
}

// finish moves an alert to those that are over.
func (b *Book) finish(s *state, now time.Time) {
	delete(b.states, s.Fingerprint)
	s.Closed = !s.Told && !s.Heard // nobody has heard of it, nobody needs its end
	b.over = append(b.over, s)
	b.recent = slices.Insert(b.recent, 0, s.Alert)
	b.recent = b.recent[:min(len(b.recent), maxRecent)]
	ends := slices.DeleteFunc(b.ends[s.Fingerprint], func(at time.Time) bool { return now.Sub(at) > flapWithin })
	b.ends[s.Fingerprint] = append(ends, now)
}

// tidy forgets what is of no use any more.
func (b *Book) tidy(now time.Time) {
	b.over = slices.DeleteFunc(b.over, func(s *state) bool { return s.Closed && now.Sub(s.Ended) >= grace })
	maps.DeleteFunc(b.ends, func(_ string, ends []time.Time) bool { return now.Sub(ends[len(ends)-1]) > flapWithin })
	n := len(b.silences)
	b.silences = slices.DeleteFunc(b.silences, func(s Silence) bool { return now.After(s.Until.Add(silenceShown)) })
	b.changed = b.changed || n != len(b.silences)
}

// mute says of each that fires whether somebody is told.
func (b *Book) mute(now time.Time) {
	causes := b.causes(now)
	silences := slices.DeleteFunc(slices.Clone(b.silences), func(q Silence) bool { return now.Before(q.From) || !now.Before(q.Until) })
	windows := slices.DeleteFunc(slices.Clone(b.windows), func(w Window) bool { return !w.open(now) })
	for _, s := range b.states {
		if s.Pending {
			continue
		}
		s.muted = b.muting(s, causes, silences, windows)
		if s.muted.none() && !s.Heard {
			s.Heard, b.changed = true, true
		}
	}
}

// causes are the alerts that may explain others, the worst first, by function:
// those in force and those that ended a moment ago.
func (b *Book) causes(now time.Time) map[string][]*state {
	byFunction := map[string][]*state{}
	add := func(s *state) {
		if !s.Pending && (explains(s.Rule) != nil || explainsEverywhere(s.Rule) != nil) {
			byFunction[s.Function] = append(byFunction[s.Function], s)
		}
	}
	for _, s := range b.states {
		add(s)
	}
	for _, s := range b.over {
		if now.Sub(s.Ended) < grace {
			add(s)
		}
	}
	for _, list := range byFunction {
		slices.SortFunc(list, worse)
	}
	return byFunction
}

// muting takes the causes, silences and windows that are in force.
func (b *Book) muting(s *state, causes map[string][]*state, silences []Silence, windows []Window) Muting {
	var m Muting
	if r := b.rules[s.Rule]; r != nil {
		m.Cause = cause(s, r.isSymptom(), causes[s.Function])
		if m.Cause == "" && s.Function != "" {
			m.Cause = cause(s, r.isSymptom(), causes[""])
		}
	}
	if i := slices.IndexFunc(silences, func(q Silence) bool { return q.fits(s) }); i >= 0 {
		m.Silence = silences[i].ID
	}
	if i := slices.IndexFunc(windows, func(w Window) bool { return w.covers(s.Function) }); i >= 0 {
		m.Maintenance = windows[i].Name
	}
	return m
}

// Tell returns the notifications that are due. Keep the Book only after they
// are safe: what is kept counts as told.
func (b *Book) Tell(now time.Time) []channel.Notification {
	members := map[string][]*state{}
	for _, s := range b.states {
		members[groupKey(s)] = append(members[groupKey(s)], s)
	}
	for _, s := range b.over {
		members[groupKey(s)] = append(members[groupKey(s)], s)
	}
	var list []channel.Notification
	for _, key := range slices.Sorted(maps.Keys(members)) {
		g := b.groups[key]
		if g == nil {
			g = &group{}
			b.groups[key] = g
		}
		if g.note(members[key], b.pace, now) {
			list = append(list, g.tell(key, members[key], b.link(members[key][0].Function), now)...)
			b.changed = true
		}
	}
	b.tidy(now)
	maps.DeleteFunc(b.groups, func(key string, g *group) bool {
		return members[key] == nil && now.Sub(g.Told) > max(b.pace.Interval, grace)
	})
	return storm(list, b.link(""), now)
}

// Firing returns what fires and is told, the worst first.
func (b *Book) Firing() []channel.Alert {
	var list []*state
	for _, s := range b.states {
		if s.loud() {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, worse)
	out := make([]channel.Alert, len(list))
	for i, s := range list {
		out[i] = s.Alert
	}
	return out
}
