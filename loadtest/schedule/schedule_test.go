package schedule_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast/loadtest/schedule"
)

func curve(t *testing.T, stages ...schedule.Stage) schedule.Curve {
	t.Helper()
	c, err := schedule.NewCurve(stages...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func all(c schedule.Curve, s schedule.Spacing, seed uint64) []time.Duration {
	var list []time.Duration
	for a := schedule.NewArrivals(c, s, seed); ; {
		d, ok := a.Next()
		if !ok {
			return list
		}
		list = append(list, d)
	}
}

func TestArrivalsAreWhereTheCurveSays(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		stages []schedule.Stage
		want   []time.Duration
	}{
		{"constant", []schedule.Stage{{Rate: 4, Duration: time.Second}}, []time.Duration{0, 250 * ms, 500 * ms, 750 * ms}},
		// From 0 to 8 per second in a second: 4t² requests are due by t.
		{
			"from nothing",
			[]schedule.Stage{{Shape: schedule.Linear, Rate: 8, Duration: time.Second}},
			[]time.Duration{0, 500 * ms, 707106781, 866025404},
		},
		// Down from 8 to 0: 8t-4t².
		{
			"to nothing",
			[]schedule.Stage{{Rate: 8, Duration: 250 * ms}, {Shape: schedule.Linear, Duration: time.Second}},
			[]time.Duration{0, 125 * ms, 250 * ms, 383974596, 542893219, 750 * ms},
		},
		{
			"a pause",
			[]schedule.Stage{{Rate: 2, Duration: time.Second}, {Duration: 3 * time.Second}, {Rate: 2, Duration: time.Second}},
			[]time.Duration{0, 500 * ms, 4 * time.Second, 4500 * ms},
		},
		{
			"a spike",
			[]schedule.Stage{{Rate: 1, Duration: time.Second}, {Shape: schedule.Spike, Rate: 4, Duration: time.Second / 2}, {Shape: schedule.Linear, Rate: 1, Duration: time.Second}},
			[]time.Duration{0, time.Second, 1250 * ms, 1500 * ms},
		},
		{"nothing", []schedule.Stage{{Duration: time.Hour}}, nil},
		{"no stage", nil, nil},
	} {
		if got := all(curve(t, c.stages...), schedule.Uniform, 0); !slices.Equal(got, c.want) {
			t.Errorf("%s: due at %v, want %v", c.name, got, c.want)
		}
	}
}

func TestASineSwingsAroundItsRate(t *testing.T) {
	t.Parallel()
	c := curve(t, schedule.Stage{Shape: schedule.Sine, Rate: 100, Amplitude: 50, Period: 4 * time.Second, Duration: 8 * time.Second})
	for at, want := range map[time.Duration]float64{0: 100, time.Second: 150, 2 * time.Second: 100, 3 * time.Second: 50, 5 * time.Second: 150} {
		if got := c.Rate(at); math.Abs(got-want) > 1e-9 {
			t.Errorf("rate %v at %v, want %v", got, at, want)
		}
	}
	if c.Total() != 800 || c.Peak() != 150 {
		t.Errorf("total %d, peak %v, want 800 and 150", c.Total(), c.Peak())
	}
	// Half a period up holds the amplitude's share more: 200 + 50·4/π.
	if got := c.Arrivals(2 * time.Second); math.Abs(got-263.662) > 0.001 {
		t.Errorf("%v requests in the upper half, want 263.662", got)
	}
}

// Random curves: totals are exact, moments never run backwards, each lies where the integral says.
func TestAnyCurveKeepsItsTotal(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	for range 80 {
		var stages []schedule.Stage
		for range 1 + rng.IntN(5) {
			s := schedule.Stage{Shape: schedule.Shape(rng.IntN(4)), Rate: float64(rng.IntN(200)), Duration: time.Duration(1+rng.IntN(40)) * 100 * time.Millisecond}
			if s.Shape == schedule.Sine {
				s.Amplitude, s.Period = s.Rate*rng.Float64(), time.Duration(1+rng.IntN(5000))*time.Millisecond
			}
			stages = append(stages, s)
		}
		c := curve(t, stages...)
		list := all(c, schedule.Uniform, 0)
		if int64(len(list)) != c.Total() {
			t.Fatalf("%+v: %d requests, want %d", stages, len(list), c.Total())
		}
		if !slices.IsSorted(list) || len(list) > 0 && list[len(list)-1] > c.Duration() {
			t.Fatalf("%+v: the moments are out of order", stages)
		}
		for i, at := range list {
			if got := c.Arrivals(at); math.Abs(got-float64(i)) > 1e-4 {
				t.Fatalf("%+v: at %v, when request %d is due, %v are", stages, at, i, got)
			}
			if at2, ok := c.Planned(int64(i)); !ok || at2 != at {
				t.Fatalf("%+v: Planned(%d) is %v, Next said %v", stages, i, at2, at)
			}
		}
	}
}

func TestPoissonArrivalsHaveTheirMeanAndVariance(t *testing.T) {
	t.Parallel()
	c := curve(t, schedule.Stage{Shape: schedule.Linear, Rate: 200, Duration: 50 * time.Second}, schedule.Stage{Rate: 200, Duration: 50 * time.Second})
	var counts []float64 // in windows of one second of the constant half
	var total float64
	for seed := range uint64(20) {
		list := all(c, schedule.Poisson, seed)
		if !slices.IsSorted(list) {
			t.Fatal("the moments are out of order")
		}
		total += float64(len(list))
		window := make([]float64, 50)
		for _, at := range list {
			if at >= 50*time.Second {
				window[int(at.Seconds())-50]++
			}
		}
		counts = append(counts, window...)
	}
	// 15,000 are expected; the mean of 20 runs deviates by sqrt(15000/20) = 27.
	if mean := total / 20; math.Abs(mean-15_000) > 4*27.4 {
		t.Errorf("%v requests a run, want 15,000", mean)
	}
	mean, variance := moments(counts)
	// Of a Poisson distribution the variance is the mean; over 1,000 windows it is known within 4.5 %.
	if math.Abs(mean-200) > 4*math.Sqrt(200.0/1000) || math.Abs(variance/200-1) > 4*math.Sqrt(2.0/1000) {
		t.Errorf("a window has %v requests with variance %v, want 200 and 200", mean, variance)
	}
}

func moments(list []float64) (mean, variance float64) {
	for _, v := range list {
		mean += v / float64(len(list))
	}
	for _, v := range list {
		variance += (v - mean) * (v - mean) / float64(len(list)-1)
	}
	return mean, variance
}

func TestTheSeedDecidesPoissonArrivals(t *testing.T) {
	t.Parallel()
	c := curve(t, schedule.Stage{Rate: 100, Duration: time.Second})
	if !slices.Equal(all(c, schedule.Poisson, 1), all(c, schedule.Poisson, 1)) {
		t.Error("the same seed gave other moments")
	}
	if slices.Equal(all(c, schedule.Poisson, 1), all(c, schedule.Poisson, 2)) {
		t.Error("another seed gave the same moments")
	}
}

func TestNothingDriftsOverADay(t *testing.T) {
	t.Parallel()
	c := curve(t, schedule.Stage{Rate: 10_000, Duration: 24 * time.Hour})
	at, ok := c.Planned(863_999_999)
	if want := 24*time.Hour - 100*time.Microsecond; !ok || at < want-20 || at > want+20 {
		t.Errorf("the last request of a day is due at %v, want %v", at, want)
	}
	if c.Total() != 864_000_000 {
		t.Errorf("a day has %d requests", c.Total())
	}
}

func TestStagesThatCannotBeAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stage schedule.Stage
		want  string
	}{
		{schedule.Stage{Name: "peak", Rate: 5}, "stage 1 peak: the duration must be longer than 0"},
		{schedule.Stage{Name: "a", Rate: -1, Duration: 1}, "stage 1 a: the rate must be 0 or more, not -1"},
		{schedule.Stage{Name: "a", Rate: math.NaN(), Duration: 1}, "stage 1 a: the rate must be 0 or more, not NaN"},
		{schedule.Stage{Name: "a", Rate: 1, Amplitude: 1, Duration: 1}, "stage 1 a: only sine has an amplitude, not step"},
		{
			schedule.Stage{Name: "a", Shape: schedule.Sine, Rate: 1, Amplitude: 2, Duration: 1},
			"stage 1 a: the amplitude must be from 0 to the rate 1, not 2: rates below 0 cannot be",
		},
	} {
		if _, err := schedule.NewCurve(c.stage); err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.stage, err, c.want)
		}
	}
}

func TestNamesAreReadBack(t *testing.T) {
	t.Parallel()
	for _, s := range []schedule.Shape{schedule.Step, schedule.Linear, schedule.Sine, schedule.Spike} {
		if got, err := schedule.ParseShape(s.String()); got != s || err != nil {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	for _, s := range []schedule.Spacing{schedule.Uniform, schedule.Poisson} {
		if got, err := schedule.ParseSpacing(s.String()); got != s || err != nil {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	if _, err := schedule.ParseShape("square"); err == nil {
		t.Error("a square was taken")
	}
	if _, err := schedule.ParseSpacing("random"); err == nil {
		t.Error("random arrivals were taken")
	}
}
