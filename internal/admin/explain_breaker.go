package admin

import (
	"fmt"
	"time"
)

// next says what will change a breaker's state.
func (b *Breaker) next(now time.Time) string {
	grown := span(fromMS(b.NextOpeningMS))
	switch {
	case b.State == "off":
		return "nothing: requests always pass"
	case b.State == "open" && b.Forced:
		return "it stays open until an operator resets it"
	case b.State == "open" && !b.NextAttempt.After(now):
		return fmt.Sprintf("the next request becomes a probe; %d successes close it, one failure opens it for about %s", b.HalfOpenMaxCalls, grown)
	case b.State == "open":
		return fmt.Sprintf("requests are refused for another %s, then up to %d probe at a time; %d successes close it, one failure opens it for about %s",
			span(b.NextAttempt.Sub(now)), b.HalfOpenMaxCalls, b.HalfOpenMaxCalls, grown)
	case b.State == "half_open":
		return fmt.Sprintf("%d more successful probes close it, one failure opens it for about %s", b.HalfOpenMaxCalls-b.HalfOpenSuccesses, grown)
	case b.FailureThreshold < 0:
		return fmt.Sprintf("it opens for %s when a rate of its window passes its limit", grown)
	default:
		return fmt.Sprintf("%d more failures in a row open it for %s", b.FailureThreshold-b.FailureCount, grown)
	}
}

func fromMS(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

func (v *BreakerExplained) lines(now time.Time) []string {
	l, b := &lines{now: now}, &v.Breaker
	l.add("breaker of function %s: %s since %s%s", b.Function, b.State, l.since(b.Since), because(b.Reason))
	if b.State != "off" {
		b.countLines(l)
	}
	l.add("next: %s", v.Next)
	if len(v.Events) > 0 {
		l.add("last changes:")
		for _, e := range v.Events {
			l.add("  %s  %s -> %s%s", clock(e.At, now), e.From, e.To, because(e.Reason))
		}
	}
	return l.list
}

func (b *Breaker) countLines(l *lines) {
	if b.FailureThreshold > 0 {
		l.add("failures in a row: %d of %d", b.FailureCount, b.FailureThreshold)
	}
	if !b.LastFailure.IsZero() {
		l.add("last failure: %s", l.since(b.LastFailure))
	}
	if w := b.Window; w != nil {
		w.line(l)
	}
	switch b.State {
	case "open":
		if !b.NextAttempt.IsZero() {
			l.add("next attempt: %s", l.until(b.NextAttempt))
		}
		l.add("openings since it was last closed: %d", b.Openings)
	case "half_open":
		l.add("probes: %d running, %d of %d succeeded", b.HalfOpenCalls, b.HalfOpenSuccesses, b.HalfOpenMaxCalls)
	}
}

func (w *BreakerWindow) line(l *lines) {
	text := fmt.Sprintf("window (%s): %d calls, rates count from %d", w.Kind, w.Calls, w.MinimumCalls)
	if w.FailureRateLimit > 0 {
		text += fmt.Sprintf("; failed %.4g%% of at most %.4g%%", w.FailureRate, w.FailureRateLimit)
	}
	if w.SlowRateLimit > 0 {
		text += fmt.Sprintf("; slower than %gms %.4g%% of at most %.4g%%", w.SlowCallMS, w.SlowRate, w.SlowRateLimit)
	}
	l.list = append(l.list, text)
}
