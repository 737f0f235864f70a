package alerting

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"holdfast/internal/alerting/channel"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func bookOf(rules ...Rule) *Book {
	b := NewBook(start.Add(-time.Hour))
	b.pace = Pace{Wait: 5 * time.Second, Interval: time.Minute, Repeat: 4 * time.Hour}
	b.rules = map[string]*Rule{}
	for i := range rules {
		b.rules[rules[i].Name] = &rules[i]
	}
	return b
}

// reports are what one look made of an alert: f fired, r resolved, - nothing.
func report(changes []Change) byte {
	switch {
	case len(changes) == 0:
		return '-'
	case changes[0].Resolved:
		return 'r'
	}
	return 'f'
}

// A rule is looked at every 10 s: w wrong, b between, . well.
func TestAnAlertFiresAfterItsForAndEndsAfterItsKeep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule       Rule
		seen, want string
	}{
		"at once":                         {Rule{}, "w.", "fr"},
		"after for":                       {Rule{For: 20 * time.Second}, "www.", "--fr"},
		"for begins anew":                 {Rule{For: 20 * time.Second}, "ww.www", "-----f"},
		"between ends what is pending":    {Rule{For: 20 * time.Second}, "wbwww", "----f"},
		"between begins nothing":          {Rule{}, "bbb", "---"},
		"between keeps what fires":        {Rule{}, "wbbb.", "f---r"},
		"keep":                            {Rule{Keep: 20 * time.Second}, "w...", "f--r"},
		"wrong again within keep":         {Rule{Keep: 20 * time.Second}, "w..w...", "f-----r"},
		"the third time it is flapping":   {Rule{}, "w.w.w...w...", "frfrf-------"},
		"flapping ends after ten minutes": {Rule{}, "w.w.w" + string(slices.Repeat([]byte{'.'}, 61)), "frfrf" + string(slices.Repeat([]byte{'-'}, 60)) + "r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.rule.Name = "x"
			b := bookOf(c.rule)
			var got []byte
			for i := range c.seen {
				var found []Finding
				if c.seen[i] != '.' {
					found = []Finding{{Rule: "x", Function: "a", Between: c.seen[i] == 'b'}}
				}
				got = append(got, report(b.Look(found, start.Add(time.Duration(i)*10*time.Second))))
			}
			if string(got) != c.want {
				t.Errorf("seen %s: %s, want %s", c.seen, got, c.want)
			}
		})
	}
}

func TestCausesExplainSymptomsOfTheSameFunction(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause, symptom Finding
		want           string
	}{
		"no instance, errors":         {Finding{Rule: NoInstance, Function: "a"}, Finding{Rule: Errors, Function: "a"}, NoInstance},
		"another function":            {Finding{Rule: NoInstance, Function: "b"}, Finding{Rule: Errors, Function: "a"}, ""},
		"breaker, errors":             {Finding{Rule: BreakerOpen, Function: "a"}, Finding{Rule: Errors, Function: "a"}, BreakerOpen},
		"breaker, a rule of somebody": {Finding{Rule: BreakerOpen, Function: "a"}, Finding{Rule: "own", Function: "a"}, BreakerOpen},
		"platform, instance":          {Finding{Rule: PlatformUnknown, Function: "a"}, Finding{Rule: InstanceFailed, Function: "a", Instance: "1"}, PlatformUnknown},
		"errors explain no breaker":   {Finding{Rule: Errors, Function: "a"}, Finding{Rule: BreakerOpen, Function: "a"}, ""},
		"own lag, latency":            {Finding{Rule: LoopLag}, Finding{Rule: Latency, Function: "a"}, LoopLag},
		"an instance's lag is local":  {Finding{Rule: LoopLag, Function: "a", Instance: "1"}, Finding{Rule: Latency, Function: "a"}, ""},
		"store, latency":              {Finding{Rule: StoreDown}, Finding{Rule: Latency, Function: "a"}, StoreDown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var rules []Rule
			for _, r := range BuiltIn() {
				r.For = 0
				rules = append(rules, r)
			}
			b := bookOf(append(rules, Rule{Name: "own", Formula: &Formula{}})...)
			b.Look([]Finding{c.cause, c.symptom}, start)
			if got := b.states[c.symptom.fingerprint()].muted.Cause; got != c.want {
				t.Errorf("explained by %q, want %q", got, c.want)
			}
			if b.states[c.cause.fingerprint()].muted.Cause != "" && c.want != "" {
				t.Error("the cause is explained too")
			}
		})
	}
}

// told lists what notifications say: the rule, with ! where it has ended.
func told(list []channel.Notification) []string {
	var said []string
	for _, n := range list {
		for _, a := range n.Alerts {
			if a.Ended.IsZero() {
				said = append(said, a.Rule)
			} else {
				said = append(said, a.Rule+"!")
			}
		}
		said = append(said, "|")
	}
	return said
}

func wantTold(t *testing.T, b *Book, at time.Duration, found []Finding, want ...string) {
	t.Helper()
	b.Look(found, start.Add(at))
	if got := told(b.Tell(start.Add(at))); !slices.Equal(got, want) {
		t.Errorf("after %s: told %v, want %v", at, got, want)
	}
}

func TestAllAboutAFunctionIsOneNotificationAndItsEndToo(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x", Severity: channel.Warning}, Rule{Name: "y", Severity: channel.Critical})
	x, y := Finding{Rule: "x", Function: "a"}, Finding{Rule: "y", Function: "a"}
	wantTold(t, b, 0, []Finding{x})
	wantTold(t, b, 2*time.Second, []Finding{x, y})
	wantTold(t, b, 5*time.Second, []Finding{x, y}, "y", "x", "|")
	wantTold(t, b, time.Minute, []Finding{x})
	wantTold(t, b, 2*time.Minute, []Finding{x}, "y!", "x", "|")
	wantTold(t, b, 3*time.Hour, []Finding{x})
	wantTold(t, b, 5*time.Hour, []Finding{x}, "x", "|")
	wantTold(t, b, 6*time.Hour, nil)
	wantTold(t, b, 6*time.Hour+5*time.Second, nil, "x!", "|")
	wantTold(t, b, 20*time.Hour, nil)
}

func TestWhatIsOverBeforeAnybodyWasToldIsToldTwice(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x"})
	wantTold(t, b, 0, []Finding{{Rule: "x"}})
	wantTold(t, b, 2*time.Second, nil)
	wantTold(t, b, 5*time.Second, nil, "x", "|", "x!", "|")
	wantTold(t, b, 10*time.Minute, nil)
}

func TestASilenceHidesWhatBeginsAndNotTheEndOfWhatWasTold(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x"})
	b.pace = Pace{Repeat: time.Hour}
	wantTold(t, b, 0, []Finding{{Rule: "x", Function: "a"}}, "x", "|")
	b.silences = []Silence{{ID: "s", Match: Match{Function: "a*"}, From: start, Until: start.Add(3 * time.Hour)}}
	wantTold(t, b, time.Minute, nil, "x!", "|")
	wantTold(t, b, 2*time.Minute, []Finding{{Rule: "x", Function: "a"}})
	if s := b.states[fingerprint("x", "a", "", "")]; s.muted.Silence != "s" {
		t.Errorf("muted: %+v", s.muted)
	}
	wantTold(t, b, 3*time.Minute, nil)
	wantTold(t, b, 4*time.Minute, []Finding{{Rule: "x", Function: "a"}})
	wantTold(t, b, 4*time.Hour, []Finding{{Rule: "x", Function: "a"}}, "x", "|") // the silence has ended
}

func TestMaintenanceHidesAlertsWhileItLasts(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x"})
	b.pace = Pace{Repeat: time.Hour}
	b.windows = []Window{{Name: "w", Functions: []string{"a"}, From: start, Until: start.Add(time.Minute)}}
	wantTold(t, b, 0, []Finding{{Rule: "x", Function: "a"}, {Rule: "x", Function: "b"}}, "x", "|")
	wantTold(t, b, time.Minute, []Finding{{Rule: "x", Function: "a"}}, "x", "|", "x!", "|")
}

func TestABookGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	rule := Rule{Name: "x", Settle: time.Minute}
	b := bookOf(rule)
	b.pace = Pace{Repeat: time.Hour}
	wantTold(t, b, 0, []Finding{{Rule: "x"}}, "x", "|")
	var written kept
	b.keep(&written)
	text, err := encodeKept(&written)
	if err != nil {
		t.Fatal(err)
	}
	next := bookOf(rule)
	next.pace, next.began = b.pace, start
	var read kept
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	next.restore(&read, start)
	wantTold(t, next, 10*time.Second, nil) // too little is known yet
	wantTold(t, next, 20*time.Second, []Finding{{Rule: "x"}})
	wantTold(t, next, 2*time.Minute, nil, "x!", "|")
}

func TestAnEscalationIsToldAnew(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x", Severity: channel.Warning})
	b.pace = Pace{Repeat: time.Hour}
	wantTold(t, b, 0, []Finding{{Rule: "x"}}, "x", "|")
	wantTold(t, b, time.Second, []Finding{{Rule: "x", Severity: channel.Critical}}, "x", "|")
	wantTold(t, b, 2*time.Second, []Finding{{Rule: "x"}})
}

func TestABudgetBurnsByTheWorkbooksWindows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hours   int // of 60 requests a minute
		bad     int // of each 60, in the last minutes
		minutes int
		want    channel.Severity // empty: well
	}{
		"nothing is wrong":              {80, 0, 0, ""},
		"an outage of ten minutes":      {80, 60, 10, channel.Critical},
		"an outage right after a start": {0, 60, 10, channel.Critical},
		"one bad request in a minute":   {80, 1, 1, ""},
		"a slow burn":                   {80, 1, 6 * 60, channel.Warning}, // 1.7 % of 1 %: 1.7 now, 0.14 in 3 days
		"a blip that is over":           {80, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, now := newBudget(), start
			r := &Rule{Name: "slo", Objective: &Objective{Percent: 99}}
			var all, bad uint64
			b.count(now, all, bad)
			total := c.hours*60 + c.minutes
			if name == "a slow burn" {
				c.minutes = total // it has burned all the time
			}
			for m := range total {
				now = now.Add(time.Minute)
				all += 60
				if m >= total-c.minutes {
					bad += uint64(c.bad)
				}
				b.count(now, all, bad)
			}
			f, wrong := b.look(r, "a")
			if wrong != (c.want != "") || f.Severity != c.want {
				t.Errorf("%v %+v, want %q", wrong, f, c.want)
			}
		})
	}
}

func TestMinutesFromBeforeTheStartCount(t *testing.T) {
	t.Parallel()
	b := newBudget()
	var past []Minute
	for m := range int64(60) {
		past = append(past, Minute{At: start.Unix()/60 - 60 + m, All: 100, Bad: 20})
	}
	b.recall(past)
	b.count(start, 5, 0)
	if all, bad, known := b.within(time.Hour); all != 5900 || bad != 1180 || known != 1 {
		t.Errorf("%d %d %v", all, bad, known)
	}
}
