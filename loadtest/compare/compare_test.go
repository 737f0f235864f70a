package compare_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/compare"
	"holdfast/loadtest/report"
)

// rowOf is the row of the map of heat that holds d.
func rowOf(d time.Duration) int {
	row := 0
	for {
		if _, to := loadtest.HeatRange(row); to > d {
			return row
		}
		row++
	}
}

// run makes a run of so many seconds with 200 requests each, whose times are
// log-normal around a median and drift together from second to second.
func run(random *rand.Rand, seconds int, median time.Duration, errorRatio float64) *report.Document {
	d := &report.Document{Schema: report.Schema, Model: "open", TargetRate: 200, Verdict: report.Verdict{Generator: "OK"}}
	drift := 0.0
	for i := range seconds {
		drift = 0.8*drift + 0.02*random.NormFloat64()
		p := report.Point{At: float64(i + 1), Length: 1}
		counts := map[int]int{}
		for range 200 {
			if random.Float64() < errorRatio {
				p.Failed++
				continue
			}
			p.OK++
			counts[rowOf(time.Duration(float64(median)*math.Exp(drift+0.5*random.NormFloat64())))]++
		}
		for row, n := range counts {
			p.Heat = append(p.Heat, [2]int{row, n})
		}
		d.Series = append(d.Series, p)
	}
	return d
}

func outcome(t *testing.T, c *compare.Comparison, name string) compare.Outcome {
	t.Helper()
	for _, m := range c.Metrics {
		if m.Name == name {
			if m.Low > m.Change+1e-9 || m.High < m.Change-1e-9 {
				t.Logf("%s: the interval %v to %v does not hold %v", name, m.Low, m.High, m.Change)
			}
			return m.Outcome
		}
	}
	t.Fatalf("no metric %s", name)
	return ""
}

func TestADifferenceIsFoundAndNoneIsNot(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name    string
		runs    int
		after   time.Duration
		errors  float64
		metric  string
		outcome compare.Outcome
	}{
		{"a fifth slower, one run", 1, 12 * time.Millisecond, 0.01, "p50", compare.Worse},
		{"a fifth faster, one run", 1, 8 * time.Millisecond, 0.01, "p50", compare.Better},
		{"as before, one run", 1, 10 * time.Millisecond, 0.01, "good answers/s", compare.Same},
		{"more errors, one run", 1, 10 * time.Millisecond, 0.1, "failed", compare.Worse},
		{"a fifth slower, five runs", 5, 12 * time.Millisecond, 0.01, "p50", compare.Worse},
		{"as before, five runs", 5, 10 * time.Millisecond, 0.01, "good answers/s", compare.Same},
	} {
		var before, after []*report.Document
		for range c.runs {
			before = append(before, run(random, 60, 10*time.Millisecond, 0.01))
			after = append(after, run(random, 60, c.after, c.errors))
		}
		got, err := compare.Runs(before, after, compare.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if o := outcome(t, got, c.metric); o != c.outcome {
			t.Errorf("%s: %s is %s, want %s: %+v", c.name, c.metric, o, c.outcome, got.Metrics)
		}
	}
}

// Of comparisons of the same with the same, few may find a difference.
func TestEqualRunsAreRarelyCalledDifferent(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	wrong, total := 0, 60
	for seed := range uint64(total) {
		a, b := run(random, 40, 10*time.Millisecond, 0.02), run(random, 40, 10*time.Millisecond, 0.02)
		c, err := compare.Runs([]*report.Document{a}, []*report.Document{b}, compare.Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range c.Metrics {
			if m.Outcome == compare.Better || m.Outcome == compare.Worse {
				wrong++
				break
			}
		}
	}
	if wrong > total/6 {
		t.Errorf("%d of %d comparisons of equals found a difference", wrong, total)
	}
}

func TestRunsThatDifferOtherwiseAreSaidTo(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	a, b := run(random, 30, time.Millisecond, 0), run(random, 30, time.Millisecond, 0)
	b.Model, b.TargetRate, b.Verdict.Generator = "closed", 300, "SUSPECT"
	a.Environment, b.Environment = []report.Setting{{Name: "kernel", Value: "6.1"}}, []report.Setting{{Name: "kernel", Value: "6.2"}}
	c, err := compare.Runs([]*report.Document{a}, []*report.Document{b}, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Notes, "\n")
	for _, want := range []string{"closed", "200 and 300/s", "kernel differs: 6.1 and 6.2", "SUSPECT"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
}

func TestTooLittleIsRefused(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	short := []*report.Document{run(random, 10, time.Millisecond, 0)}
	if _, err := compare.Runs(short, short, compare.Options{}); !errors.Is(err, compare.ErrTooShort) {
		t.Error(err)
	}
	if _, err := compare.Runs(nil, short, compare.Options{}); err == nil {
		t.Error("a side is missing")
	}
}
