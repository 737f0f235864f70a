package autoscale_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"holdfast/autoscale"
)

func add(t *testing.T, f *autoscale.Feed, s autoscale.Signal, instance string, v float64, when time.Time) {
	t.Helper()
	if err := f.Add(autoscale.Reading{Signal: s, Instance: instance, Value: v, At: when}); err != nil {
		t.Fatal(err)
	}
}

func TestAFeedMakesSignalsOfReadings(t *testing.T) {
	t.Parallel()
	f := autoscale.NewFeed(autoscale.FeedConfig{})
	f.SetInstances([]autoscale.Instance{{ID: "b", State: autoscale.Starting}, {ID: "a"}})
	add(t, f, autoscale.CPUPercent, "a", 99, at(-2*time.Minute)) // forgotten
	add(t, f, autoscale.CPUPercent, "a", 40, at(-20*time.Second))
	add(t, f, autoscale.CPUPercent, "a", 60, at(-10*time.Second))
	for ms := range 100 {
		add(t, f, autoscale.ResponseTimeMS, "a", float64(100-ms), at(-30*time.Second))
	}
	add(t, f, autoscale.ResponseTimeMS, "", 5, at(-time.Second))
	add(t, f, autoscale.InFlight, "", 10, at(-5*time.Minute)) // still so when the minute begins
	add(t, f, autoscale.InFlight, "", 0, at(-30*time.Second))
	add(t, f, autoscale.InFlight, "", 60, at(-3*time.Second))
	add(t, f, autoscale.IdleSeconds, "", 7, at(-30*time.Second))
	add(t, f, autoscale.IdleSeconds, "", 2, at(-10*time.Second))

	s := f.Signals(2, at(0))
	if len(s.Instances) != 2 || s.Instances[0].Values[autoscale.CPUPercent] != 50 || s.Instances[1].Values != nil {
		t.Errorf("%+v", s.Instances)
	}
	for name, v := range map[autoscale.Signal]float64{autoscale.ResponseTimeMS: 95, autoscale.InFlight: (10*30 + 60*3) / 60.0, autoscale.IdleSeconds: 2} {
		if math.Abs(s.Values[name]-v) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, s.Values[name], v)
		}
	}
	if s.Burst[autoscale.InFlight] != 30 || s.Burst[autoscale.ResponseTimeMS] != 5 {
		t.Errorf("burst: %v", s.Burst)
	}
	later := f.Signals(2, at(time.Hour))
	if len(later.Values) != 1 || later.Values[autoscale.InFlight] != 60 { // a level holds until another is told
		t.Errorf("an hour later: %v", later.Values)
	}
}

func TestAFeedRefusesWhatIsNoMeasurement(t *testing.T) {
	t.Parallel()
	f := autoscale.NewFeed(autoscale.FeedConfig{})
	for _, r := range []autoscale.Reading{
		{Value: 1, At: at(0)},
		{Signal: autoscale.CPUPercent, Value: 1},
		{Signal: autoscale.CPUPercent, Value: math.NaN(), At: at(0)},
		{Signal: autoscale.CPUPercent, Value: math.Inf(1), At: at(0)},
	} {
		if f.Add(r) == nil {
			t.Errorf("%+v was taken", r)
		}
	}
}

func TestAFeedKeepsSoManyReadingsAndIsSafeForSeveral(t *testing.T) {
	t.Parallel()
	f := autoscale.NewFeed(autoscale.FeedConfig{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				_ = f.Add(autoscale.Reading{Signal: autoscale.ResponseTimeMS, Value: float64(g), At: at(time.Duration(i))})
				if i%500 == 0 {
					f.Signals(1, at(time.Second))
				}
			}
		})
	}
	wg.Wait()
	if _, ok := f.Signals(1, at(time.Second)).Values[autoscale.ResponseTimeMS]; !ok {
		t.Error("no response time")
	}
}

func TestAnIntegralAveragesOverTime(t *testing.T) {
	t.Parallel()
	var i autoscale.Integral
	i.Set(4, at(0))
	i.Add(6, at(time.Second)) // 10 from then on
	i.Set(0, at(3*time.Second))
	if v := i.Turn(at(8 * time.Second)); v != 3 {
		t.Errorf("average %v, want 3", v)
	}
	if v := i.Turn(at(8 * time.Second)); v != 0 {
		t.Errorf("no time has passed, and it is %v, not the level", v)
	}
	i.Set(5, at(9*time.Second))
	i.Set(9, at(7*time.Second)) // a clock that went back counts as no time
	if v := i.Turn(at(10 * time.Second)); v != 4.5 {
		t.Errorf("average %v, want 4.5", v)
	}
}
