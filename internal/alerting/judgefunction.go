package alerting

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	"holdfast/internal/alerting/channel"
)

func judgeFunction(f *Function, now time.Time, add func(Finding)) {
	if f.Stopped {
		return // whoever ordered it knows
	}
	plain := add
	add = func(found Finding) {
		found.Numbers = f.with(found.Numbers)
		plain(found)
	}
	judgeBreaker(f, now, add)
	judgeInstances(f, add)
	judgePlatform(f, add)
	if s := &f.Scaling; s.Limit != "" {
		add(Finding{
			Rule: ScalingLimit, Function: f.Name, Numbers: map[string]float64{"wanted": float64(s.Wanted)},
			Summary: fmt.Sprintf("%s: needs %d instances and stays at %d: %s", f.Name, s.Wanted, s.Result, s.Limit),
			Next:    "raise scaling.max_instances or scaling.budget, or make requests cheaper; holdfast explain scaling " + f.Name,
		})
	}
	if why := f.Scaling.Incident; why != "" {
		add(Finding{
			Rule: Incident, Function: f.Name, Numbers: map[string]float64{"wanted": float64(f.Scaling.Wanted)}, Summary: f.Name + ": looks like an incident rather than load, so no instances are added: " + why,
			Next: "holdfast explain scaling " + f.Name,
		})
	}
}

// judgeBreaker takes an outage for one alert: half-open is not closed yet.
func judgeBreaker(f *Function, now time.Time, add func(Finding)) {
	b := &f.Breaker
	switch b.State {
	case "open":
		out := Finding{
			Rule: BreakerOpen, Function: f.Name, Since: b.Since, Summary: f.Name + ": the breaker is open, requests are answered by the fallback",
			Next: "holdfast explain breaker " + f.Name,
		}
		if b.Reason != "" {
			out.Summary += " (" + b.Reason + ")"
		}
		out.Numbers = map[string]float64{"failures": float64(b.Failures)}
		if wait := b.NextAttempt.Sub(now); wait > 0 {
			out.Numbers["next_attempt_s"] = math.Round(wait.Seconds())
		}
		if b.Forced {
			out.Severity, out.Cause = channel.Warning, "somebody opened it; nothing closes it by itself"
			out.Next = "holdfast function reset-breaker " + f.Name + " closes it"
		}
		add(out)
	case "half_open":
		add(Finding{Rule: BreakerOpen, Function: f.Name, Between: true})
		add(Finding{
			Rule: BreakerHalfOpen, Function: f.Name, Since: b.Since, Summary: f.Name + ": the breaker is half-open since " + b.Since.UTC().Format("15:04:05 UTC") + " and finds no answer",
			Next: "holdfast explain breaker " + f.Name, Numbers: map[string]float64{"failures": float64(b.Failures)},
		})
	}
}

// with adds how many instances there are to the numbers of a finding.
func (f *Function) with(numbers map[string]float64) map[string]float64 {
	n := map[string]float64{"instances": float64(f.Total), "available": float64(f.Available), "failed": float64(len(f.Failed))}
	maps.Copy(n, numbers)
	return n
}

func judgeInstances(f *Function, add func(Finding)) {
	if f.Available == 0 && !f.AtZero {
		add(Finding{
			Rule: NoInstance, Function: f.Name, Between: f.Starting > 0,
			Summary: fmt.Sprintf("%s: no instance is available (%s), its requests fail", f.Name, standing(f)),
			Cause:   whyNone(f), Next: "holdfast instances " + f.Name + " says why each is as it is",
		})
	}
	if f.Panic {
		add(Finding{
			Rule: PanicMode, Function: f.Name,
			Summary: fmt.Sprintf("%s: panic mode, health is ignored because too few instances are healthy (%s)", f.Name, standing(f)),
			Next:    "holdfast instances " + f.Name,
		})
	}
	for _, i := range f.Failed {
		add(Finding{
			Rule: InstanceFailed, Function: f.Name, Instance: i.ID, Since: i.Since,
			Summary: fmt.Sprintf("%s: instance %s failed, %d of %d are left", f.Name, i.ID, f.Available, f.Total),
			Cause:   i.Reason, Next: "holdfast explain instance " + f.Name + " " + i.ID,
		})
	}
}

func standing(f *Function) string {
	if f.Total == 0 {
		return "it has none"
	}
	return fmt.Sprintf("%d of %d failed", len(f.Failed), f.Total)
}

// whyNone is the reason most of the failed give.
func whyNone(f *Function) string {
	count, best := map[string]int{}, ""
	for _, i := range f.Failed {
		count[i.Reason]++
		if count[i.Reason] > count[best] || best == "" {
			best = i.Reason
		}
	}
	return best
}

func judgePlatform(f *Function, add func(Finding)) {
	p := &f.Platform
	if p.Trouble != "" {
		add(Finding{
			Rule: PlatformUnknown, Function: f.Name, Summary: f.Name + ": nothing is known of " + p.Name + " now; its instances stay as they were and nothing is scaled",
			Cause: p.Trouble, Next: "holdfast doctor",
		})
	}
	if p.Failure != "" {
		add(Finding{
			Rule: ScalingFailed, Function: f.Name, Summary: f.Name + ": cannot be scaled: " + strings.TrimSuffix(p.Failure, "."),
			Next: "holdfast explain scaling " + f.Name,
		})
	}
}
