package drill

import (
	"math"
	"slices"
	"time"

	"holdfast/loadtest"
)

// near is what the p99 of a good second may be: 1.2 times the baseline's, or
// what clients put up with, whichever is more. The p99 of a second of few
// requests is its slowest one, so nearness alone would judge by chance.
func near(base, slow time.Duration) time.Duration { return max(base*12/10, slow) }

// seconds of the load are judged by themselves.
type judged struct {
	from, to float64 // since the load's begin
	good     bool
}

// goodSeconds says of each second whether clients were served: no failure, and
// a p99, less what the generator itself was late, near the baseline's.
func goodSeconds(series []loadtest.Point, limit time.Duration) []judged {
	list := make([]judged, len(series))
	for i, p := range series {
		list[i] = judged{
			from: (p.At - p.Length).Seconds(), to: p.At.Seconds(),
			good: p.Failed == 0 && p.P99-p.TimerLagP99 <= limit && float64(p.OK) >= 0.5*p.Offered,
		}
	}
	return list
}

// failover is the time from the injection to the begin of the first good
// second behind a bad one; 0: there was no bad one until the revert.
func failover(list []judged, injected, reverted float64) (float64, bool) {
	bad := false
	for _, j := range list {
		switch {
		case j.to <= injected:
		case !j.good:
			bad = bad || j.from < reverted
		case bad:
			return max(j.from-injected, 0), true
		}
	}
	return 0, !bad
}

const calm = 3 // good seconds in a row

// recovered is the time from the revert to the first of three good seconds.
func recovered(list []judged, reverted float64) (float64, bool) {
	run := 0
	for i, j := range list {
		switch {
		case j.to <= reverted:
		case !j.good:
			run = 0
		default:
			if run++; run == calm {
				return max(list[i-calm+1].from-reverted, 0), true
			}
		}
	}
	return 0, false
}

// firstAfter is how long after t the first event came that counts.
func firstAfter(events []Event, t time.Time, counts func(*Event) bool) (float64, bool) {
	best, found := math.Inf(1), false
	for i := range events {
		if e := &events[i]; !e.At.Before(t) && counts(e) && e.At.Sub(t).Seconds() < best {
			best, found = e.At.Sub(t).Seconds(), true
		}
	}
	return best, found
}

// detects says that an event tells of something bad.
func detects(e *Event) bool {
	switch e.Kind {
	case "instance_ejected", "panic", "anomaly":
		return true
	case "instance_status", "process":
		return slices.Contains([]string{"failed", "gone", "starting"}, e.To)
	case "breaker":
		return e.To == "open"
	}
	return false
}

// imbalance is how far the instance that got most of its share is above it,
// from one state to another: 1 is even.
func imbalance(before, after *State) (float64, bool) {
	total, weights := 0.0, 0.0
	got := map[string]float64{}
	for _, i := range after.Instances {
		for _, b := range before.Instances {
			if b.ID == i.ID && b.Active && i.Picks >= b.Picks {
				got[i.ID] = float64(i.Picks - b.Picks)
				total, weights = total+got[i.ID], weights+i.Weight
			}
		}
	}
	worst := 0.0
	for _, i := range after.Instances {
		if n, ok := got[i.ID]; ok && i.Weight > 0 && total > 0 {
			worst = max(worst, n/total*weights/i.Weight)
		}
	}
	return worst, len(got) > 1 && total > 0
}

// p99 is that of a summary, or 0.
func p99(s *loadtest.Summary) time.Duration {
	if s == nil || s.Response == nil || s.Response.Count() == 0 {
		return 0
	}
	return s.Response.Quantile(0.99)
}

func availability(s *loadtest.Summary) (float64, bool) {
	if s == nil || s.Planned() == 0 {
		return 0, false
	}
	return 1 - s.ErrorRatio(), true
}
