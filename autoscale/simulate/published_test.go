package simulate_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
	"holdfast/test/need"
)

func readTrace(tb testing.TB, name string) *simulate.Trace {
	tb.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".csv.gz"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close() // it was only read
	t, err := simulate.ReadTrace(name, f)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// published is the model of the published points: an even flow without a
// queue, decisions every minute on the minute before, and 30 instances at the
// 99.9th percentile, which boot for five minutes. The first day warms up.
func published() simulate.World {
	return simulate.World{
		Service: time.Second, ArrivalVariation: -1, Queue: -1, Boot: simulate.Boot{Median: 5 * time.Minute},
		Tick: time.Minute, Window: time.Minute, Warmup: 24 * time.Hour,
	}
}

// publishedHPA has the usual rules without their rates, which a minute is too
// long for. Five minutes are five decisions.
func publishedHPA(percent float64, w simulate.World) autoscale.Policy {
	p := simulate.Reactive(percent, 1, 200, w)
	p.Up.Rates = []autoscale.Rate{{Percent: 10_000, Per: time.Second}}
	p.Down.Rates = p.Up.Rates
	p.Down.Hold = 5*time.Minute - time.Second
	return p
}

// Published are instance-hours over those of an ideal without boot times, to
// two digits, and the percentage of time with too few instances, to two or
// three. Here the ratio may be off by 0.02, as no instances are removed while
// others boot, and the time by 3 % and what rounding hides.
func TestPublishedPointsAreReproduced(t *testing.T) {
	t.Parallel()
	need.Plain(t) // with it nothing changes but that three months take a minute
	for _, c := range []struct {
		trace                   string
		percent                 float64
		ratio, under, roundedBy float64
	}{
		{"app-rps-1m", 70, 1.43, 0.61, 0.005},
		{"app-rps-1m", 50, 2.00, 0.021, 0.0005},
		{"machine-rps-1m", 70, 1.47, 0.23, 0.005},
		{"worldcup98-1m", 70, 1.31, 0.068, 0.0005},
	} {
		t.Run(c.trace, func(t *testing.T) {
			t.Parallel()
			w := published()
			trace := readTrace(t, c.trace)
			trace = trace.Scaled(30 * w.PerInstance() / trace.Peak())
			o, err := simulate.Run{Policy: publishedHPA(c.percent, w), Trace: trace, World: w}.Do()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("hpa-%.0f: %.3fx, %.3f %%; published %.2fx, %v %%", c.percent, o.Ratio, o.TauUnder, c.ratio, c.under)
			if math.Abs(o.Ratio-c.ratio) > 0.02 {
				t.Errorf("%.3f times the ideal, published %.2f", o.Ratio, c.ratio)
			}
			if math.Abs(o.TauUnder-c.under) > 0.03*c.under+c.roundedBy {
				t.Errorf("under-provisioned for %.4f %% of the time, published %v", o.TauUnder, c.under)
			}
		})
	}
}
