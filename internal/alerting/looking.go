package alerting

import (
	"errors"
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
	found = append(found, s.happened(&v)...)
	found = append(found, s.troubles(now)...)
	s.mu.Lock()
	found = s.book.overflowing(found, now)
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
	s.keepBudgets(now, budgetsEvery)
}

// hand gives the queues what is due.
func (s *Service) hand(now time.Time) {
	s.mu.Lock()
	due := s.book.Tell(now)
	s.mu.Unlock()
	for i := range due {
		for _, one := range s.all() {
			if due[i].Group != "channel:"+one.channel.Name() {
				s.put(one, &due[i])
			}
		}
	}
	s.settleDebts(now)
}

func (s *Service) put(one *sender, n *channel.Notification) {
	if !channel.Wants(one.channel, n) {
		return
	}
	err := one.queue.put(n)
	first := err != nil && !one.unkept
	one.unkept = err != nil
	if first {
		s.config.OnNotice(Notice{Channel: one.channel.Name(), Kind: Unkept, Error: err})
	}
}

// keep writes down what is known: what the queues are to keep must be on the disk
// by then, or a crash would forget it for good. A disk that refuses is told once.
func (s *Service) keep() {
	var k kept
	s.note(&k)
	s.mu.Lock()
	s.book.keep(&k)
	text, err := encodeKept(&k)
	s.book.changed = false
	s.mu.Unlock()
	if err == nil {
		err = s.write(text)
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

var errNoDirectory = errors.New("keep alerts: the directory cannot be had")

func (s *Service) write(text []byte) error {
	if s.lock == nil {
		return errNoDirectory
	}
	for _, one := range s.all() {
		if err := one.queue.flush(); err != nil {
			return err
		}
	}
	return writeKept(s.path(), text)
}

const (
	scalingShown  = 5 * time.Minute
	failoverShown = 10 * time.Minute
)

// happened are findings made of events: what merely happened is shown for a
// while.
func (s *Service) happened(v *View) []Finding {
	now := v.At
	if s.config.Events == nil {
		return nil
	}
	for _, e := range s.config.Events.Since(s.heard) {
		s.heard = e.Seq
		if f, ok := momentOf(&e); ok {
			for i := range v.Functions {
				if v.Functions[i].Name == f.Function {
					f.Numbers = v.Functions[i].with(e.Numbers)
				}
			}
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
