package loadtest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/objective"
)

func objectives(t *testing.T, texts ...string) []objective.Objective {
	t.Helper()
	var list []objective.Objective
	for _, text := range texts {
		o, err := loadtest.ParseObjective(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
	return list
}

func TestARunIsJudgedByItsObjectives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		byEndpoint := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			if s.Endpoint == 1 && s.Seq%4 == 0 {
				return time.Millisecond, loadtest.BadStatus
			}
			return time.Duration(1+s.Endpoint*50) * time.Millisecond, loadtest.OK
		}
		c := loadtest.Config{
			Client: model(byEndpoint), Rate: 100, Duration: 20 * time.Second, RampUp: 10 * time.Second,
			Endpoints: []loadtest.Endpoint{{Name: "list", Weight: 3}, {Name: "buy"}},
			Objectives: objectives(t, "p50<10ms", "p99<10ms", "p99{endpoint=list}<10ms", "errors<10%", "errors{endpoint=list}<=0",
				"rate@steady>=0.9*target", "rate{endpoint=list}@steady>=0.95*target", "rate{endpoint=buy}>=0.9*target", "status<=1%", "timeout<=0"),
		}
		r := do(t, c)
		var got []string
		for _, o := range r.Objectives {
			verdict := "missed "
			if o.Passed {
				verdict = "reached "
			}
			got = append(got, verdict+o.Objective.String())
		}
		want := "reached p50<10ms, missed p99<10ms, reached p99{endpoint=list}<10ms, reached errors<10%, reached errors{endpoint=list}<=0, " +
			"reached rate@steady>=0.9*target, reached rate{endpoint=list}@steady>=0.95*target, missed rate{endpoint=buy}>=0.9*target, " +
			"missed status<=1%, reached timeout<=0"
		if all := strings.Join(got, ", "); all != want || r.Passed() {
			t.Errorf("passed %v: %s\nwant %s", r.Passed(), all, want)
		}
	})
}

func TestAMissedObjectiveAbortsARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		slower := func(*loadtest.Shot) (time.Duration, loadtest.Class) { return time.Since(begun) / 100, loadtest.OK }
		r := do(t, loadtest.Config{Client: model(slower), Rate: 100, Duration: time.Hour, Objectives: objectives(t, "p90<200ms abort", "errors<1%")})
		if took := time.Since(begun); took < 21*time.Second || took > 25*time.Second {
			t.Errorf("it went on for %v, want some 23 s", took)
		}
		if r.Passed() || r.Interrupted || !strings.HasPrefix(r.Aborted, "p90<200ms abort: 20") {
			t.Errorf("passed %v, interrupted %v, aborted %q", r.Passed(), r.Interrupted, r.Aborted)
		}
		if len(r.Objectives) != 2 || !r.Objectives[1].Passed {
			t.Errorf("objectives %+v", r.Objectives)
		}
	})
}

func TestObjectivesSpeakOfWhatThereIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"rate>=0.9*target":   "needs a target rate, and a closed run has none: set a rate, or compare with a number",
		"p99{endpoint=x}<1s": "names no endpoint of this run",
		"p99@nowhere<1s":     "names no stage of this run",
	} {
		_, err := loadtest.Run(t.Context(), loadtest.Config{Client: constant(1), Objectives: objectives(t, text)})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := loadtest.ParseObjective("interrupted<1"); err == nil {
		t.Error("what was interrupted is no failure, and was taken")
	}
}
