package alerting

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/event"
	"holdfast/internal/formula"
)

// everythingWrong is a picture in which all that is looked at is wrong, and
// nobody says why.
func everythingWrong() View {
	broken := Function{
		Name: "a", Total: 2, Panic: true, Failed: []Instance{{ID: "1"}, {ID: "2"}}, Breaker: Breaker{State: "open", Since: start, Failures: 5},
		Platform: Platform{Name: "kubernetes", Trouble: "no answer", Failure: "no room"},
		Scaling:  Scaling{Limit: "scaling.max_instances is 2", Wanted: 5, Result: 2, Incident: "errors without load"},
		Figure:   func(string) (float64, bool) { return 7, true },
	}
	probing := Function{Name: "b", Total: 1, Available: 1, Breaker: Breaker{State: "half_open", Since: start}}
	v := View{At: start, Functions: []Function{broken, probing}, Store: Store{Down: true, Disk: "no space left on device", InMemory: 3}}
	for _, rule := range []string{Errors, Latency, Memory, LoopLag} {
		v.Anomalies = append(v.Anomalies, Anomaly{Rule: rule, Function: "a", Text: rule, Numbers: map[string]float64{"value": 1}})
	}
	v.Anomalies = append(v.Anomalies, Anomaly{Rule: LoopLag, Text: "Holdfast lags", Numbers: map[string]float64{"value": 1}})
	v.Certificates = []Certificate{{Listener: "gateway", Ends: start.Add(day)}}
	return v
}

func TestEachAlertHasASummaryNumbersALinkACauseAndANextStep(t *testing.T) {
	t.Parallel()
	wrong, err := formula.Compile("in_flight > 5 ? 1 : 0", []string{"in_flight"})
	if err != nil {
		t.Fatal(err)
	}
	rules := append(BuiltIn(), Rule{Name: "own", Severity: channel.Warning, Formula: &Formula{Wrong: wrong, Text: "in_flight > 5"}},
		Rule{Name: "slo", Objective: &Objective{Percent: 99}})
	list := make([]*Rule, len(rules))
	for i := range rules {
		rules[i].For = 0
		list[i] = &rules[i]
	}
	b := bookOf(rules...)
	b.link = func(function string) string { return "https://h/" + function }
	v := everythingWrong()
	found := append(judge(&v, b.rules), (&formulas{}).judge(&v, list)...)
	bus := event.NewBus(16)
	for _, to := range []string{"scale_up", "failover"} {
		bus.Publish(event.Event{Kind: event.Action, Function: "a", To: to, At: start, Reason: "because"})
	}
	found = append(found, (&Service{config: Config{Events: bus}}).happened(&v)...)
	f, _ := trouble(&Delivery{Name: "c", Trouble: "refused", Hopeless: true}, false)
	found = append(found, f)
	burning := newBudget()
	for m := range 60 {
		burning.count(start.Add(time.Duration(m)*time.Minute), uint64(60*m), uint64(30*m))
	}
	f, _ = burning.look(list[len(list)-1], "a")
	found = append(found, f)
	b.Look(found, start)
	seen := map[string]bool{}
	for _, s := range b.states {
		seen[s.Rule] = true
		if s.Pending || s.Summary == "" || len(s.Numbers) == 0 || s.Link == "" || s.Cause == "" || s.Next == "" {
			t.Errorf("%s: pending %v, summary %q, numbers %v, link %q, cause %q, next %q", s.Rule, s.Pending, s.Summary, s.Numbers, s.Link, s.Cause, s.Next)
		}
	}
	for i := range rules {
		if !seen[rules[i].Name] {
			t.Errorf("%s: nothing was found of it", rules[i].Name)
		}
	}
}

func TestFiveHundredFunctionsDownAtOnceAreAFewNotifications(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x", Severity: channel.Warning}, Rule{Name: "y", Severity: channel.Critical})
	var found []Finding
	for i := range 500 {
		rule := "x"
		if i%10 == 0 {
			rule = "y"
		}
		found = append(found, Finding{Rule: rule, Function: "f" + time.Duration(i).String()})
	}
	b.Look(found, start)
	b.Look(found, start.Add(5*time.Second))
	if list := b.Tell(start); list != nil {
		t.Fatalf("told at once: %d", len(list))
	}
	for phase, at := range []time.Duration{5 * time.Second, 10 * time.Minute} {
		if phase == 1 {
			b.Look(nil, start.Add(at-10*time.Second))
			b.Tell(start.Add(at - 10*time.Second))
		}
		list := b.Tell(start.Add(at))
		told, ids := map[string]int{}, map[string]bool{}
		for _, n := range list {
			ids[n.ID] = true
			for _, a := range n.Alerts {
				told[a.ID]++
				if a.Ended.IsZero() != (phase == 0) {
					t.Errorf("phase %d: %s ended %v", phase, a.Function, a.Ended)
				}
			}
		}
		if len(list) != 5 || len(told) != 500 || len(ids) != 5 || slices.Max(slices.Collect(maps.Values(told))) != 1 {
			t.Errorf("phase %d: %d notifications with %d IDs of %d alerts", phase, len(list), len(ids), len(told))
		}
		if first := list[0].Alerts; first[0].Severity != channel.Critical || first[49].Severity != channel.Critical || first[50].Severity != channel.Warning {
			t.Errorf("phase %d: the worst are not first", phase)
		}
	}
}

func TestFiveHundredInstancesOfAFunctionAreAllToldAHundredAtATime(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x"})
	var found []Finding
	for i := range 500 {
		found = append(found, Finding{Rule: "x", Function: "a", Instance: time.Duration(i).String()})
	}
	told := map[string]bool{}
	for at := time.Duration(0); at < 6*time.Minute; at += 5 * time.Second {
		b.Look(found, start.Add(at))
		for _, n := range b.Tell(start.Add(at)) {
			if len(n.Alerts) > maxAlerts || len(told) == 0 && n.More != 400 {
				t.Errorf("%d alerts and %d more", len(n.Alerts), n.More)
			}
			for _, a := range n.Alerts {
				told[a.Instance] = true
			}
		}
	}
	if len(told) != 500 {
		t.Errorf("%d of 500 were told", len(told))
	}
}

func TestMoreAlertsThanAreTakenIsAnAlert(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x"}, Rule{Name: ChannelFailing, For: time.Hour})
	found := make([]Finding, maxStates+1)
	for i := range found {
		found[i] = Finding{Rule: "x", Function: "a", Instance: time.Duration(i).String()}
	}
	if more := b.overflowing(found, start); len(more) != len(found) {
		t.Error("told before it is so")
	}
	b.Look(found, start)
	b.Look(b.overflowing(found, start), start)
	if s := b.states[fingerprint(ChannelFailing, "", "", "all channels")]; s == nil || s.Pending || len(b.states) != maxStates+1 {
		t.Errorf("%d alerts, and of those that are too many %+v", len(b.states), s)
	}
	if more := b.overflowing(nil, start.Add(time.Hour)); more != nil {
		t.Error("it does not end")
	}
}

func TestPatternsOfSilencesFitSlashesAndAreRefusedWhereTheyFitNothing(t *testing.T) {
	t.Parallel()
	s := &state{Alert: channel.Alert{Rule: "x", Instance: "http://10.0.0.1:3000/a", Labels: map[string]string{"team": "web/front"}}}
	for pattern, want := range map[string]bool{"*": true, "http://*": true, "http:??10.0.0.1*": true, "https*": false, "*/a": true} {
		if m := (Match{Instance: pattern}); m.fits(s) != want {
			t.Errorf("%s fits: %v", pattern, !want)
		}
	}
	if m := (Match{Labels: map[string]string{"team": "web*"}}); !m.fits(s) {
		t.Error("a label with a slash does not fit")
	}
	long := Silence{Match: Match{Rule: "x"}, Reason: "r", From: start, Until: start.Add(time.Hour)}
	for name, change := range map[string]func(*Silence){
		"a bracket in a label": func(q *Silence) { q.Labels = map[string]string{"team": "[web"} },
		"a bracket in a rule":  func(q *Silence) { q.Rule = "[" },
		"an end before it":     func(q *Silence) { q.From = start.Add(2 * time.Hour) },
		"an end in the past":   func(q *Silence) { q.From, q.Until = start.Add(-2*time.Hour), start.Add(-time.Hour) },
		"no reason":            func(q *Silence) { q.Reason = "" },
		"everything":           func(q *Silence) { q.Rule = "" },
		"a year":               func(q *Silence) { q.Until = start.Add(365 * day) },
	} {
		q := long
		change(&q)
		if err := q.check(start); !errors.Is(err, ErrBadSilence) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := long.check(start); err != nil {
		t.Error(err)
	}
}
