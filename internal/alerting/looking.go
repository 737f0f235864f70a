package alerting

import (
	"fmt"
	"strings"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/event"
)

// look makes one picture, judges it, remembers, and hands to the queues what is
// due. Order matters: an alert is kept before anybody hears of it, and counts
// as told only when its notification is safe in the queues.
func (s *Service) look(now time.Time) {
	v := s.config.View(now)
	v.At = now
	s.mu.Lock()
	rules := s.settings.Rules
	byName := s.book.rules
	s.mu.Unlock()
	list := make([]*Rule, len(rules))
	for i := range rules {
		list[i] = &rules[i]
	}
	found := judge(&v, byName)
	found = append(found, s.formulas.judge(&v, list)...)
	found = append(found, s.budgets.judge(&v, list)...)
	found = append(found, s.happened(now)...)
	found = append(found, s.troubles(now)...)
	s.mu.Lock()
	changes := s.book.Look(found, now)
	s.mu.Unlock()
	if len(changes) > 0 {
		s.keep()
	}
	for i := range changes {
		s.config.Tell(changes[i])
	}
	s.hand(now)
	s.mu.Lock()
	s.looked = now
	changed := s.book.changed
	s.mu.Unlock()
	if changed {
		s.keep()
	}
}

// hand gives the queues what is due.
func (s *Service) hand(now time.Time) {
	s.mu.Lock()
	due := s.book.Tell(now)
	s.mu.Unlock()
	for i := range due {
		for _, one := range s.all() {
			name := one.channel.Name()
			if due[i].Group == "channel:"+name || !channel.Wants(one.channel, &due[i]) {
				continue
			}
			if err := one.queue.put(&due[i]); err != nil {
				s.config.OnNotice(Notice{Channel: name, Kind: Unkept, Error: err})
			}
		}
	}
}

// keep writes down what is known. A disk that refuses costs what a crash now
// would lose, and is told once.
func (s *Service) keep() {
	refused := map[string]string{}
	for _, d := range s.Deliveries() {
		if d.Hopeless {
			refused[d.Name] = d.Trouble
		}
	}
	s.mu.Lock()
	k := s.book.keep()
	k.Refused = refused
	text, err := encodeKept(&k)
	s.book.changed = false
	s.mu.Unlock()
	if err == nil {
		err = writeKept(s.path(), text)
	}
	if err != nil {
		s.mu.Lock()
		s.book.changed = true
		s.mu.Unlock()
		if !s.unkept {
			s.config.OnNotice(Notice{Kind: Unkept, Error: err})
		}
	}
	s.unkept = err != nil
}

const (
	scalingShown  = 5 * time.Minute
	failoverShown = 10 * time.Minute
)

// happened are findings made of events: what merely happened is shown for a
// while.
func (s *Service) happened(now time.Time) []Finding {
	if s.config.Events == nil {
		return nil
	}
	for _, e := range s.config.Events.Since(s.heard) {
		s.heard = e.Seq
		if f, ok := momentOf(&e); ok {
			s.moments = append(s.moments, f)
		}
	}
	kept := s.moments[:0]
	for i := range s.moments {
		if now.Before(s.moments[i].Until) {
			kept = append(kept, s.moments[i])
		}
	}
	s.moments = kept[max(0, len(kept)-maxStates):]
	return s.moments
}

func momentOf(e *event.Event) (Finding, bool) {
	if e.Kind != event.Action {
		return Finding{}, false
	}
	f := Finding{Function: e.Function, Since: e.At, Next: "holdfast actions " + e.Function + " lists what was done"}
	switch e.To {
	case "scale_up", "scale_down":
		f.Rule, f.Until, f.Summary = ScalingAction, e.At.Add(scalingShown), e.Function+": scaled, "+e.Reason
		if _, why, bad := strings.Cut(e.Reason, "; failed: "); bad {
			f.Rule, f.Cause, f.Summary = ScalingFailed, why, e.Function+": could not be scaled, "+e.Reason
		}
	case "failover":
		f.Rule, f.Until, f.Instance = Failover, e.At.Add(failoverShown), e.Instance
		f.Summary, f.Next = e.Function+": failed over, "+e.Reason, "holdfast function failback "+e.Function+" takes it back once the cause is mended"
	default:
		return Finding{}, false
	}
	return f, true
}

// lossShown is how long it is an alert that notifications were lost.
const lossShown = time.Hour

// troubles are findings about the channels themselves, and about what did not
// fit into a queue.
func (s *Service) troubles(now time.Time) []Finding {
	var list []Finding
	for _, d := range s.Deliveries() {
		l := s.lost[d.Name]
		if d.Dropped > l.count {
			s.config.OnNotice(Notice{Channel: d.Name, Kind: Dropped, Count: d.Dropped - l.count})
			l = loss{d.Dropped, now}
			s.lost[d.Name] = l
		}
		if f, bad := trouble(&d, !l.at.IsZero() && now.Sub(l.at) < lossShown); bad {
			list = append(list, f)
		}
	}
	return list
}

func trouble(d *Delivery, lost bool) (Finding, bool) {
	f := Finding{
		Rule: ChannelFailing, Part: d.Name, Since: d.Since, Next: "holdfast alerts test " + d.Name + " once it is mended",
		Numbers: map[string]float64{"waiting": float64(d.Waiting), "failed": float64(d.Failed)}, Cause: d.Trouble,
	}
	switch {
	case lost:
		f.Summary, f.Now = fmt.Sprintf("channel %s has lost notifications (%d since the start): its queue was full", d.Name, d.Dropped), true
		f.Cause = or(f.Cause, "there are more alerts than it takes")
	case d.Hopeless:
		f.Summary, f.Now = "channel "+d.Name+" refuses notifications for good: nobody is told through it", true
	case d.Trouble != "":
		f.Summary = fmt.Sprintf("channel %s cannot be reached, %d notifications wait", d.Name, d.Waiting)
	default:
		return Finding{}, false
	}
	return f, true
}
