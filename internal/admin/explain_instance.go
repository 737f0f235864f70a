package admin

import (
	"fmt"
	"strings"
	"time"

	"holdfast/internal/event"
)

// sourcesOf says who thinks what of an instance.
func sourcesOf(v *InstanceExplained) []Source {
	return []Source{v.platformSays(), v.checksSay(), v.resultsSay(), v.operatorSays()}
}

func (v *InstanceExplained) platformSays() Source {
	i := &v.Instance
	s := Source{Name: "platform", Says: i.Lifecycle, Against: i.Lifecycle != "running"}
	if p := i.Process; p != nil {
		s.Says, s.Since, s.Reason = p.State.String(), p.Since, p.Reason
		if p.Spare {
			s.Says = "warm spare, " + s.Says
		}
		return s
	}
	if i.Lifecycle == "running" {
		s.Reason = "not started by Holdfast, assumed to run"
	}
	return s
}

func (v *InstanceExplained) checksSay() Source {
	i := &v.Instance
	s := Source{Name: "checks", Says: i.Health, Against: i.Health != "up"}
	if i.Check == nil {
		s.Reason = "not checked"
		return s
	}
	s.Reason = i.Check.Reason
	if i.Check.Suspected {
		s.Says += ", suspected"
	}
	if n := len(i.Check.Changes); n > 0 {
		s.Since = i.Check.Changes[n-1].At
	}
	return s
}

func (v *InstanceExplained) resultsSay() Source {
	i := &v.Instance
	s := Source{Name: "results", Says: "fine", Against: i.Ejected}
	if i.Ejected {
		s.Says = "ejected"
	}
	if e := v.last(event.InstanceEjected); e != nil && i.Ejected {
		s.Since, s.Reason = e.At, e.Reason
	} else if t := v.lastBy("ejection"); t != nil && i.Ejected {
		s.Since, s.Reason = t.At, t.Reason
	}
	if !i.Ejected && i.EjectionCount > 0 {
		s.Reason = fmt.Sprintf("was ejected before; the count for the next time is %d", i.EjectionCount)
	}
	return s
}

func (v *InstanceExplained) operatorSays() Source {
	i := &v.Instance
	s := Source{Name: "operator", Says: "in use", Against: i.Draining}
	if i.Draining {
		s.Says = "draining"
		if t := v.lastBy("drain"); t != nil {
			s.Since, s.Reason = t.At, t.Reason
		}
	}
	return s
}

func (v *InstanceExplained) last(kind event.Kind) *event.Event {
	for n := len(v.Events) - 1; n >= 0; n-- {
		if v.Events[n].Kind == kind {
			return &v.Events[n]
		}
	}
	return nil
}

func (v *InstanceExplained) lastBy(source string) *Transition {
	for n := len(v.History) - 1; n >= 0; n-- {
		if v.History[n].Source == source {
			return &v.History[n]
		}
	}
	return nil
}

func (v *InstanceExplained) lines(now time.Time) []string {
	l, i := &lines{now: now}, &v.Instance
	l.add("instance %s of function %s at %s", i.ID, i.Function, i.Endpoint)
	l.add("status: %s since %s%s", i.Status, l.since(i.Since), because(i.Reason))
	l.add("who says what:")
	for _, s := range v.Sources {
		v.sourceLine(l, s)
	}
	v.processLine(l)
	v.trafficLines(l)
	v.checkLines(l)
	if len(v.History) > 0 {
		l.add("last changes of status:")
		for _, t := range v.History {
			l.add("  %s  %s -> %s by %s%s", clock(t.At, now), t.From, t.To, t.Source, because(t.Reason))
		}
	}
	return l.list
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func (v *InstanceExplained) sourceLine(l *lines, s Source) {
	text := "  " + s.Name + ": " + s.Says
	if !s.Since.IsZero() {
		text += " since " + l.since(s.Since)
	}
	text += because(s.Reason)
	if s.Name == "results" && v.Instance.Ejected {
		text += "; back at " + l.until(v.Instance.EjectedUntil)
	}
	if s.Against {
		text += "  <- keeps traffic away"
	}
	l.list = append(l.list, text)
}

func (v *InstanceExplained) processLine(l *lines) {
	p := v.Instance.Process
	if p == nil {
		return
	}
	if kind := v.Instance.Platform; kind != "" && kind != "process" {
		l.add("%s: %s since %s, %d restarts", kind, p.State, l.since(p.Since), p.Restarts)
		return
	}
	pid := "no process"
	if p.PID != 0 {
		pid = fmt.Sprintf("pid %d", p.PID)
	}
	l.add("process: %s, %s, %d restarts", p.State, pid, p.Restarts)
}

func (v *InstanceExplained) trafficLines(l *lines) {
	i := &v.Instance
	l.add("traffic: picked %d times, %.1f%% of all; %d in flight, %d good and %d failed attempts",
		i.Picks, i.SharePercent, i.InFlight, i.Successes, i.Failures)
	l.add("  latency: p50 %gms, p95 %gms, p99 %gms; estimate picks go by: %.4gms", i.P50MS, i.P95MS, i.P99MS, i.EWMAMS)
	place := fmt.Sprintf("  weight %d (%.4g now), priority %d", i.Weight, i.EffectiveWeight, i.Priority)
	if where := strings.Trim(i.Region+"/"+i.Zone, "/"); where != "" {
		place += ", in " + where
	}
	l.list = append(l.list, place)
	l.add("  score %.2f = health %.2f x latency %.2f x errors %.2f x load %.2f",
		i.Score.Total, i.Score.Health, i.Score.Latency, i.Score.Errors, i.Score.Load)
	if i.EjectionsRefused > 0 {
		l.add("  kept in although results spoke against it (%dx): too many were out already", i.EjectionsRefused)
	}
}

func (v *InstanceExplained) checkLines(l *lines) {
	c := v.Instance.Check
	if c == nil {
		return
	}
	next := "one is running"
	if !c.Next.IsZero() {
		next = "next at " + l.until(c.Next)
	}
	l.add("checks: %d made, %d failed, %s", c.Checks, c.Failures, next)
	for _, r := range c.Results {
		mark := "ok    "
		if !r.OK {
			mark = "failed"
		}
		l.add("  %s  %s in %gms%s", clock(r.At, l.now), mark, r.TookMS, because(r.Reason))
	}
}
