package autoscale

import (
	"math"
	"slices"
	"time"
)

// State is what decisions remember of earlier ones. Begin with the zero value,
// then pass Decision.Next on. It stays small: what is older than an hour is
// forgotten. One that was lost costs caution, not instances: nothing is removed
// until Down.Hold has passed again.
type State struct {
	// Since is when the first decision was made.
	Since time.Time `json:"since,omitzero"`
	// At and Desired are of the last one.
	At      time.Time `json:"at,omitzero"`
	Desired int       `json:"desired"`
	// Changes are those of Signals.Desired that were seen in the last hour,
	// whoever made them; the oldest first.
	Changes []Change `json:"changes,omitempty"`
	// Highest and Lowest are the wishes that may still be the most careful ones
	// of Down.Hold and Up.Hold.
	Highest []Wish `json:"highest,omitempty"`
	Lowest  []Wish `json:"lowest,omitempty"`
	// Worked is when a target for a signal of your own last saw work: a queue
	// that nobody asks for over the gateway.
	Worked time.Time `json:"worked,omitzero"`
	// PanicUntil is when panic ends, PanicFloor what was wanted in it.
	PanicUntil time.Time `json:"panic_until,omitzero"`
	PanicFloor int       `json:"panic_floor,omitempty"`
	// LastUp is how things were when instances were last added; nil: not known.
	LastUp *Before `json:"last_up,omitempty"`
	Spent  Spent   `json:"spent"`
}

// Change is a change of the number of instances.
type Change struct {
	At   time.Time `json:"at"`
	From int       `json:"from"`
	To   int       `json:"to"`
}

// Wish is what the rules together wanted at one time.
type Wish struct {
	At        time.Time `json:"at"`
	Instances int       `json:"instances"`
}

// Before is how a function did when instances were about to be added.
type Before struct {
	At       time.Time `json:"at"`
	Ready    int       `json:"ready"`
	Served   float64   `json:"served"`
	Response float64   `json:"response_ms"`
}

// maxChanges bounds the state of a function whose number changes all the time.
const maxChanges = 512

// clone returns a copy that shares nothing and reads the same after a way
// through JSON.
func (s *State) clone() State {
	c := *s
	c.Since, c.At, c.Worked, c.PanicUntil = plain(c.Since), plain(c.At), plain(c.Worked), plain(c.PanicUntil)
	c.Changes, c.Highest, c.Lowest = cloned(c.Changes), cloned(c.Highest), cloned(c.Lowest)
	for i := range c.Changes {
		c.Changes[i].At = plain(c.Changes[i].At)
	}
	for _, list := range [][]Wish{c.Highest, c.Lowest} {
		for i := range list {
			list[i].At = plain(list[i].At)
		}
	}
	if c.LastUp != nil {
		b := *c.LastUp
		b.At = plain(b.At)
		c.LastUp = &b
	}
	c.Spent.normal()
	return c
}

// see takes over what became of the number of instances since the last
// decision.
func (s *State) see(in *Signals, now time.Time) {
	if s.Since.IsZero() {
		s.Since = now
		first := Wish{now, in.Desired}
		s.Highest, s.Lowest = []Wish{first}, []Wish{first}
	} else if in.Desired != s.Desired {
		// It was made right after that decision, or at least not before.
		s.Changes = slices.Concat(s.Changes, []Change{{s.At, s.Desired, in.Desired}})
		if in.Desired > s.Desired {
			s.LastUp = beforeUp(in, now)
		}
	}
	old := 0
	for old < len(s.Changes) && (now.Sub(s.Changes[old].At) >= hour || len(s.Changes)-old > maxChanges) {
		old++
	}
	if s.Changes = s.Changes[old:]; len(s.Changes) == 0 {
		s.Changes = nil
	}
	s.At, s.Desired = now, in.Desired
}

func beforeUp(in *Signals, now time.Time) *Before {
	served, _, okServed := in.value(ServedRate)
	response, _, okResponse := in.value(ResponseTimeMS)
	if !okServed || !okResponse {
		return nil
	}
	return &Before{At: now, Ready: in.count(Ready), Served: served, Response: response}
}

// wish notes what the rules want, for the holds.
func (s *State) wish(w Wish, up, down time.Duration) {
	s.Highest = note(s.Highest, w, down, func(old, now int) bool { return old <= now })
	s.Lowest = note(s.Lowest, w, up, func(old, now int) bool { return old >= now })
}

// note keeps of the wishes of a time only those that may still be the most
// careful one once earlier ones are forgotten: they are in order, the most
// careful first. It returns another list and changes none.
func note(list []Wish, w Wish, hold time.Duration, outdone func(old, now int) bool) []Wish {
	if hold <= 0 {
		return nil
	}
	for len(list) > 0 && outdone(list[len(list)-1].Instances, w.Instances) {
		list = list[:len(list)-1]
	}
	for len(list) > 0 && w.At.Sub(list[0].At) > hold {
		list = list[1:]
	}
	return slices.Concat(list, []Wish{w})
}

// moved returns how many instances came and went in the time before now.
func (s *State) moved(now time.Time, per time.Duration) (added, removed int) {
	for _, c := range s.Changes {
		if now.Sub(c.At) < per {
			added += max(c.To-c.From, 0)
			removed += max(c.From-c.To, 0)
		}
	}
	return added, removed
}

// lastChange returns when the number last changed; zero: not within the hour.
func (s *State) lastChange() time.Time {
	if len(s.Changes) == 0 {
		return time.Time{}
	}
	return s.Changes[len(s.Changes)-1].At
}

// crumb is what calculating with fractions leaves: 3.0000000001 instances are
// three.
const crumb = 1e-9

// whole makes a number of instances of what was calculated.
func whole(v float64) int {
	return int(min(max(math.Ceil(v-crumb), 0), 10*maxInstances))
}
