package loadtest

import (
	"testing"
	"time"

	"holdfast/loadtest/selfcheck"
)

// A few requests that left late in a second of fifty are its p99; of a thousand they are not.
func TestTheLagIsJudgedByEnoughRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		late int // of 1,000
		want selfcheck.Verdict
	}{{"nine", 9, selfcheck.OK}, {"twenty", 20, selfcheck.Invalid}} {
		watch := &collector{seen: newSummary(), since: newSummary()}
		sum := newSummary()
		for second := range 20 {
			for i := range 50 {
				lag := 50 * time.Microsecond
				if second*50+i < c.late {
					lag = 20 * time.Millisecond
				}
				sum.TimerLag.Record(lag)
				sum.Service.Record(2 * time.Millisecond)
			}
			watch.doubts = append(watch.doubts, selfcheck.Sample{Length: time.Second, TimerLag: 20 * time.Millisecond})
			watch.judged(sum, false)
		}
		if len(watch.doubts) > 0 {
			t.Errorf("%s: %d seconds still wait", c.name, len(watch.doubts))
		}
		if r := watch.judge.Report(0); r.Verdict != c.want || r.Windows != 20 {
			t.Errorf("%s of a thousand late: %v of %d seconds, want %v", c.name, r.Verdict, r.Windows, c.want)
		}
	}
	watch := &collector{seen: newSummary(), since: newSummary(), doubts: []selfcheck.Sample{{Length: time.Second}}}
	sum := newSummary()
	for range 100 {
		sum.TimerLag.Record(20 * time.Millisecond)
	}
	if watch.judged(sum, true); watch.judge.Report(0).Verdict != selfcheck.Invalid {
		t.Error("the end of a short run is not judged")
	}
}
