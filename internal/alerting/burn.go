package alerting

import (
	"fmt"
	"time"

	"holdfast/internal/alerting/channel"
)

// Objective is a service level: the share of requests that are to be good, in
// percent. Slow makes it one of latency: good is what was answered without an
// error within that time; 0: good is what did not fail.
//
// The windows and factors are those of Google's Site Reliability Workbook,
// chapter 5, "Multiwindow, Multi-Burn-Rate Alerts", for a budget of 30 days:
//
//	burn   long   short   of the budget   severity
//	14.4   1 h    5 min    2 %            critical
//	 6     6 h    30 min   5 %            critical
//	 1     3 d    6 h     10 %            warning
//
// A window counts where both the long and the short one burn that fast: the long
// one makes it matter, the short one ends it soon after things are well.
//
// The minutes are counted from the counters the gateway has of each function,
// and kept on disk once a minute. Minutes before the start come from package
// history where the objective is one of availability. History has percentiles of
// latency and no counts of what was slower than a limit, so an objective of
// latency goes on with what this Holdfast has kept itself: a restart costs it the
// minute under way at most, and one that is new begins with now. A minute nobody
// has counted counts as good: the burn rate is less by the part of the window
// that is missing, so that little knowledge is no alarm and an outage right after
// a start is one.
type Objective struct {
	Percent float64       // 99.9
	Slow    time.Duration // 0: of availability
	Summary string        // a sentence of its own; empty: one with the numbers
}

// burnWindow is one row of the table.
type burnWindow struct {
	factor      float64
	long, short time.Duration
	severity    channel.Severity
}

func burnWindows() [3]burnWindow {
	return [3]burnWindow{
		{14.4, time.Hour, 5 * time.Minute, channel.Critical},
		{6, 6 * time.Hour, 30 * time.Minute, channel.Critical},
		{1, 3 * day, 6 * time.Hour, channel.Warning},
	}
}

// budget counts the minutes of one objective and one function.
type budget struct {
	slow         time.Duration // the objective's
	fine, coarse ring
	begun        bool
	all, bad     uint64 // what the counters said last
}

func newBudget() *budget {
	return &budget{fine: newRing(1, 6*60), coarse: newRing(10, 3*24*60)}
}

// Minute is what was counted in one minute, by minutes since 1970.
type Minute struct {
	At       int64
	All, Bad uint64
}

// recall puts minutes from before the start in, oldest first, before anything is
// counted. Minutes that are missing in between had no requests.
func (b *budget) recall(minutes []Minute) {
	for _, m := range minutes {
		b.fine.add(m)
		b.coarse.add(m)
	}
}

// count takes what the counters say now.
func (b *budget) count(now time.Time, all, bad uint64) {
	m := Minute{At: now.Unix() / 60}
	if b.begun && all >= b.all && bad >= b.bad { // else the function is another one
		m.All, m.Bad = all-b.all, bad-b.bad
	}
	b.begun, b.all, b.bad = true, all, bad
	b.fine.add(m)
	b.coarse.add(m)
}

// within returns what was counted in the window that ends now, and what part of
// it is known, 0 to 1.
func (b *budget) within(window time.Duration) (all, bad uint64, known float64) {
	if window <= b.fine.length() {
		return b.fine.within(window)
	}
	return b.coarse.within(window)
}

// burn returns how many times faster than allowed the budget is used up.
func (b *budget) burn(window time.Duration, percent float64) (rate float64, all, bad uint64) {
	all, bad, known := b.within(window)
	if all == 0 {
		return 0, 0, 0
	}
	return float64(bad) / float64(all) / (1 - percent/100) * known, all, bad
}

// look judges the windows; false: all is well.
func (b *budget) look(r *Rule, function string) (Finding, bool) {
	o := r.Objective
	for _, w := range burnWindows() {
		long, all, bad := b.burn(w.long, o.Percent)
		fast, _, _ := b.burn(w.short, o.Percent)
		if long < w.factor || fast < w.factor || bad < leastBad {
			continue
		}
		f := Finding{
			Rule: r.Name, Function: function, Severity: w.severity, Summary: o.Summary,
			Numbers: map[string]float64{"burn_rate": long, "burn_rate_now": fast, "requests": float64(all), "bad": float64(bad), "objective_percent": o.Percent, "window_s": w.long.Seconds()},
			Cause:   "requests fail, or are slow, more often than the objective allows",
			Next:    "holdfast requests " + function + " --failed",
		}
		if o.Summary == "" {
			f.Summary = fmt.Sprintf("the budget of %s %% burns %.1f times too fast: %d of %d requests in %s were bad", short(o.Percent), long, bad, all, spoken(w.long))
		}
		f.Summary = function + ": " + f.Summary
		if r.Severity != "" && rank(r.Severity) > rank(f.Severity) {
			f.Severity = r.Severity
		}
		return f, true
	}
	return Finding{}, false
}

// leastBad is how many bad requests there must be: one in a quiet night is no
// trend.
const leastBad = 5

func spoken(d time.Duration) string {
	if d >= day {
		return fmt.Sprintf("%d days", d/day)
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}
