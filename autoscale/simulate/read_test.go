package simulate_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/autoscale/simulate"
)

func TestTracesAreRead(t *testing.T) {
	t.Parallel()
	const text = "\ufeffunix_seconds,count,more\n\n# a remark\n600,10,x\n660,20\n 720 , 30.5\n720,31.5\n900,60\n"
	trace, err := simulate.ReadTrace("t.csv", strings.NewReader(text+strings.Repeat("960,0\n", 1)+"1020,1\n1080,1\n1140,1\n1200,1\n1260,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []float64{10, 20, 31, 31 + 29.0/3, 31 + 2*29.0/3, 60, 0, 1, 1, 1, 1, 1}; len(trace.Counts) != len(want) {
		t.Fatalf("%v, want %v", trace.Counts, want)
	} else {
		for i := range want {
			if math.Abs(trace.Counts[i]-want[i]) > 1e-9 {
				t.Errorf("step %d: %v, want %v", i, trace.Counts[i], want[i])
			}
		}
	}
	if trace.Step != time.Minute || trace.Begin.Unix() != 600 {
		t.Errorf("steps of %s from %s", trace.Step, trace.Begin)
	}
	want := []string{
		"t.csv:8: steps missing before this one, 2 in 1 gaps in all; they are filled evenly",
		"t.csv:7: a step that was there before, 1 in all; such count as their mean",
	}
	if !slices.Equal(trace.Notes, want) {
		t.Errorf("notes %q, want %q", trace.Notes, want)
	}
}

// The shop's trace has both, and is used with what was made of them said.
func TestHoursThatAreMissingOrTwiceThereAreHandledAndSaid(t *testing.T) {
	t.Parallel()
	trace := readTrace(t, "ecommerce-rps-1h")
	if trace.Step != time.Hour || len(trace.Counts) != 6192 {
		t.Errorf("%d steps of %s, want 6192 hours", len(trace.Counts), trace.Step)
	}
	if notes := strings.Join(trace.Notes, "\n"); !strings.Contains(notes, "1 in 1 gaps") || !strings.Contains(notes, "there before, 1 in all") {
		t.Errorf("notes: %s", notes)
	}
}

func TestWhatIsNoTraceIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "f: a trace needs two steps at least, has 0",
		"60,1\n60,2\n":            "f: a trace needs two steps at least, has 1",
		"60,1\n120,-2\n":          "f:2: count -2 is negative",
		"60,1\n120,NaN\n":         "f:2: count NaN is no number",
		"60,1\n120\n":             `f:2: "120" is no "unix_seconds,count"`,
		"a,b\nc,d\n":              `f:2: "c,d" is no "unix_seconds,count"`,
		"-60,1\n120,1\n":          "f:1: time -60 is no number of seconds since 1970",
		"120,1\n60,1\n":           "f:2: time 60 is before that of the line above, 120; sort the file by time",
		"0,1\n60,1\n120,1\n190,1": "f:4: the distance to the step before is no multiple of the step: 70 s, where steps are 60 s",
		"0,1\n60,1\n120,1\n900,1": "f:4: with the gap before this step too many steps are missing, more than 20 %",
		"\x1f\x8bnothing at all":  "f: gzip: invalid header",
	} {
		if _, err := simulate.ReadTrace("f", strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRequestsAreCountedInSteps(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	trace, err := simulate.TraceOf("log", []time.Time{at(250), at(61), at(119), at(120)}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(trace.Counts, []float64{2, 1, 0, 1}) || trace.Begin.Unix() != 60 {
		t.Errorf("%v from %s", trace.Counts, trace.Begin)
	}
	if _, err := simulate.TraceOf("log", []time.Time{at(61), at(62)}, time.Minute); err == nil {
		t.Error("requests of one minute are a trace")
	}
}

func FuzzTracesAreReadOrRefused(f *testing.F) {
	f.Add("60,1\n120,2\n")
	f.Add("h\n60,1\n120,2\n180,3\n300,1\n300,2\n")
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := simulate.ReadTrace("f", strings.NewReader(text))
		if err != nil {
			return
		}
		for i, n := range trace.Counts {
			if !(n >= 0) {
				t.Fatalf("step %d has %v requests", i, n)
			}
		}
		if trace.Step <= 0 || len(trace.Counts) < 2 {
			t.Fatalf("%d steps of %s", len(trace.Counts), trace.Step)
		}
	})
}
