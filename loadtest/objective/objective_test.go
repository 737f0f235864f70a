package objective_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/loadtest/histogram"
	"holdfast/loadtest/objective"
)

func classes() []string { return []string{"timeout", "check"} }

func measured() *objective.Measured {
	m := &objective.Measured{
		Response: new(histogram.Histogram), Service: new(histogram.Histogram), Planned: 2000, Good: 1960, Failed: 40,
		Classes: map[string]int64{"timeout": 30}, Length: 10 * time.Second, Target: 200,
	}
	for i := range 2000 {
		m.Response.Record(time.Duration(i) * time.Millisecond / 10)
		m.Service.Record(time.Millisecond)
	}
	return m
}

func TestObjectivesAreJudged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"p99<250ms":                 "pass p99<250ms: 197.9ms",
		"p99 <= 190ms":              "fail p99<=190ms: 197.9ms",
		"p99.9<1s":                  "pass p99.9<1s: 199.5ms (too few requests)",
		"p50{endpoint=a b}@x>=99ms": "pass p50{endpoint=a b}@x>=99ms: 100ms",
		"p50{endpoint=a<b}<1s":      "pass p50{endpoint=a<b}<1s: 100ms",
		"service.p50<2ms":           "pass service.p50<2ms: 1ms",
		"mean<99ms abort":           "fail mean<99ms abort: 99.95ms",
		"max<1s":                    "pass max<1s: 199.9ms",
		"min>0s":                    "fail min>0s: 0s",
		"errors<2%":                 "fail errors<2%: 2%",
		"errors<=2%":                "pass errors<=2%: 2%",
		"errors<=39":                "fail errors<=39: 40",
		"timeout<=1.5%":             "pass timeout<=1.5%: 1.5%",
		"check<=0":                  "pass check<=0: 0",
		"rate>=196":                 "pass rate>=196: 196",
		"rate>=0.98*target":         "pass rate>=0.98*target: 0.98*target",
		"rate>=target":              "fail rate>=1*target: 0.98*target",
	} {
		o, err := objective.Parse(text, classes())
		if err != nil {
			t.Error(err)
			continue
		}
		out := o.Judge(measured())
		if got := map[bool]string{true: "pass ", false: "fail "}[out.Passed] + out.Text; got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestARunWithoutAnAnswerReachesNothing(t *testing.T) {
	t.Parallel()
	nothing := &objective.Measured{Response: new(histogram.Histogram), Service: new(histogram.Histogram), Planned: 5, Failed: 5}
	for _, text := range []string{"p99<1s", "mean<1s", "service.max<1s", "rate>=1", "rate>=0.5*target", "errors<1%"} {
		o, err := objective.Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if o.Judge(nothing).Passed {
			t.Errorf("%s passed", text)
		}
	}
}

func TestObjectivesThatCannotBeReadAreExplained(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"p99":               "want <, <=, > or >= between a metric and its limit, as in p99<250ms",
		"":                  "want <, <=, > or >= between a metric and its limit, as in p99<250ms",
		"p99<250":           `want a duration like 250ms as limit of p99, not "250"`,
		"p101<1s":           "a percentile is between 0 and 100, not 101",
		"p<1s":              `there is no metric "p": want p99, mean, min, max, errors, rate or one of timeout, check`,
		"latency<1s":        `there is no metric "latency": want p99, mean, min, max, errors, rate or one of timeout, check`,
		"service.errors<1":  "service time has no errors",
		"errors<many":       `want a number as limit of errors, not "many"`,
		"errors<-1":         `want a number as limit of errors, not "-1"`,
		"rate>=NaN":         `want a number as limit of rate, not "NaN"`,
		"p99{route=/a}<1s":  "want {endpoint=NAME}, not {route=/a}",
		"p99{endpoint=a<1s": "want } after the endpoint",
		"p99@<1s":           "want the name of a stage after @",
	} {
		_, err := objective.Parse(text, classes())
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What is read is written so that it means the same, and judging it does not depend on luck.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"p99<250ms", "p99.9{endpoint=a}@b>=1h abort", "errors<=0.1%", "rate>=0.98*target", "service.mean<1us", "timeout<3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := objective.Parse(text, classes())
		if err != nil {
			return
		}
		again, err := objective.Parse(o.String(), classes())
		if err != nil {
			t.Fatalf("%q was read, but not %q: %v", text, o.String(), err)
		}
		if again.String() != o.String() {
			t.Fatalf("%q is written as %q, and that as %q", text, o.String(), again.String())
		}
		o.Judge(measured())
	})
}
