package admin

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/autoscale/simulate"
)

// tides is a history of days with a quiet night and a busy day.
type tides struct{ busiest float64 }

func (d tides) Range(_ context.Context, _ string, from, to time.Time, step time.Duration) ([]HistoryPoint, error) {
	var list []HistoryPoint
	cpu := 50.0
	for at := from; at.Before(to); at = at.Add(step) {
		hour := at.Sub(from).Hours()
		jobs := 20.0
		if hour >= 12 {
			jobs = 60
		}
		list = append(list, HistoryPoint{
			At: at, RequestsPerSecond: d.busiest * (0.55 - 0.45*math.Cos(hour/12*math.Pi)), P50MS: 200, Instances: 4, CPUPercent: &cpu,
			Signals: map[string]float64{"jobs": jobs},
		})
	}
	return list, nil
}

// steady keeps a number of instances.
func steady(n int) simulate.Contender {
	return simulate.Contender{Policy: autoscale.Policy{Min: n, Max: n}}
}

// Schedules and signals of one's own take part; what has no past is said.
func TestARehearsalKnowsSchedulesAndTheSignalsOfThePast(t *testing.T) {
	t.Parallel()
	always, err := schedule.Parse("* * * * *", time.UTC, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	scheduled := simulate.Contender{
		Policy: autoscale.Policy{Min: 1, Max: 9, Schedules: []autoscale.Schedule{{Name: "always", Min: 5}}},
		Around: simulate.Around{Windows: map[string]*schedule.Window{"always": always}},
	}
	own := simulate.Contender{Policy: autoscale.Policy{Min: 1, Max: 9, Targets: []autoscale.Target{
		{Signal: "custom:jobs", Value: 10}, {Signal: "custom:lag", Value: 1},
	}}}
	v := rehearsed(t, tides{0.1}, &Rehearsal{Days: 1}, scheduled, own)
	early, late := v.Series[len(v.Series)/4], v.Series[len(v.Series)*3/4]
	if early.Present != 5 || late.Present != 5 {
		t.Errorf("a schedule that always holds keeps 5: %v and %v", early.Present, late.Present)
	}
	if early.Changed != 2 || late.Changed != 6 {
		t.Errorf("20 and then 60 jobs, 10 an instance: %v and %v", early.Changed, late.Changed)
	}
	said := strings.Join(v.Assumed, "; ")
	for _, text := range []string{"the signal jobs was recorded: it is what it was then", "the signal lag has no past in this time: targets and thresholds for it are left out"} {
		if !strings.Contains(said, text) {
			t.Errorf("%q is not said: %s", text, said)
		}
	}
	if strings.Contains(said, "schedules") {
		t.Errorf("nothing about schedules is left out: %s", said)
	}
}

// rehearsed is how two scalings fare. In the bubble no time passes while it works: a machine that is busy with other
// tests does not end it.
func rehearsed(t *testing.T, past History, ask *Rehearsal, present, changed simulate.Contender) (v Rehearsed) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, fn := quiet(t)
		s.config.History = past
		var err error
		if v, err = s.rehearseWith(t.Context(), fn, ask, present, changed); err != nil {
			t.Fatal(err)
		}
	})
	return v
}

func TestARehearsalHoldsTwoScalingsAgainstEachOther(t *testing.T) {
	t.Parallel()
	v := rehearsed(t, tides{20}, &Rehearsal{Days: 1, Price: 0.5}, steady(1), steady(8))
	// 0.2 s of 2 requests a second of which half keep 4 instances busy by half: 2 at once.
	if v.Seeds != rehearsalSeeds || len(v.Assumed) != 3 || !strings.Contains(v.Assumed[0], "200 ms") || !strings.Contains(v.Assumed[2], "30 s") {
		t.Errorf("%d seeds, assumed %q", v.Seeds, v.Assumed)
	}
	if v.Present.InstanceHours < 23.9 || v.Present.InstanceHours > 24.1 || v.Changed.InstanceHours < 191 || v.Changed.InstanceHours > 193 {
		t.Errorf("1 and 8 instances for a day: %v and %v instance-hours", v.Present.InstanceHours, v.Changed.InstanceHours)
	}
	if v.Changed.Cost == nil || math.Abs(*v.Changed.Cost-96) > 1 || v.IdealHours <= 24 || v.IdealBootHours < v.IdealHours {
		t.Errorf("%+v", v)
	}
	if v.Present.UnderPercent < 20 || v.Changed.UnderPercent > 0 || v.Present.ViolatedPercent <= v.Changed.ViolatedPercent || v.Present.ChangesPerDay != 0 {
		t.Errorf("one instance is too few at day: %+v, %+v", v.Present, v.Changed)
	}
	if n := len(v.Series); n < 300 || n > rehearsalPoints {
		t.Fatalf("%d points", n)
	}
	most := 0.0
	for _, p := range v.Series {
		most = max(most, p.Demand)
		if p.Present != 1 || p.Changed != 8 {
			t.Fatalf("%+v", p)
		}
	}
	if most < 1.5 || most > 5 {
		t.Errorf("20 requests of 200 ms a second, 2 at once, keep %v instances busy", most)
	}
}

func TestARehearsalSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	s, fn := quiet(t)
	says := func(h History, status int, text string) {
		t.Helper()
		s.config.History = h
		_, err := s.rehearseWith(t.Context(), fn, &Rehearsal{}, steady(1), steady(2))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Status != status || !strings.Contains(e.Message, text) || e.Hint == "" {
			t.Errorf("%v, want %d and %q", err, status, text)
		}
	}
	says(nothingYet{}, http.StatusConflict, "there is no history of f in the last 7 days yet")
	says(tides{0}, http.StatusConflict, "nobody asked for f")
}

type nothingYet struct{}

func (nothingYet) Range(context.Context, string, time.Time, time.Time, time.Duration) ([]HistoryPoint, error) {
	return nil, nil
}

func TestRehearsalsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRehearsals()
		leave, err := r.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan error, rehearsalQueue)
		for range rehearsalQueue - 1 {
			go func() {
				leave, err := r.enter(t.Context())
				if err == nil {
					leave()
				}
				answers <- err
			}()
		}
		synctest.Wait()
		if _, err := r.enter(t.Context()); !errors.Is(err, errBusyRehearsing) {
			t.Errorf("the queue is full: %v", err)
		}
		leave()
		for range rehearsalQueue - 1 {
			if err := <-answers; err != nil {
				t.Errorf("who waited: %v", err)
			}
		}
		leave, err = r.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := r.enter(t.Context()); !errors.Is(err, errBusyRehearsing) || time.Since(begun) != rehearsalTime {
			t.Errorf("who waited %s: %v", time.Since(begun), err)
		}
		leave()
	})
}

func TestARehearsalEndsWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	each := pacer(ctx)
	for range 1_000_000 {
		if err := each(); err != nil {
			return
		}
	}
	t.Error("it goes on although its time is over")
}
