package autoscale_test

import (
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestNothingIsAddedToInstancesThatNeverBecameReady(t *testing.T) {
	t.Parallel()
	p := quick(1, 10)
	p.Targets = []autoscale.Target{{Signal: autoscale.InFlight, Value: 1}}
	p.Panic.Off = true
	busy := values{autoscale.InFlight: 8}
	for _, c := range []struct {
		name      string
		instances []autoscale.Instance
		result    int
		rule      autoscale.Rule
	}{
		{"all are ready", ready(2, nil), 8, autoscale.ByTarget},
		{"one has failed, one is ready", append(ready(1, nil), others(1, autoscale.Failed, at(0))...), 2, autoscale.ByNeverReady},
		{"one has failed, three are ready", append(ready(3, nil), others(1, autoscale.Failed, at(0))...), 8, autoscale.ByTarget},
		{"one starts", append(ready(1, nil), others(1, autoscale.Starting, at(-50*time.Second))...), 8, autoscale.ByTarget},
		{"one starts for too long", append(ready(1, nil), others(1, autoscale.Starting, at(-61*time.Second))...), 2, autoscale.ByNeverReady},
		{"none ever was", others(2, autoscale.Failed, at(0)), 2, autoscale.ByNeverReady},
	} {
		d := decide(p, autoscale.Signals{Desired: 2, Instances: c.instances, Values: busy})
		if d.Result != c.result || d.Rule != c.rule {
			t.Errorf("%s: %d by %s, want %d by %s", c.name, d.Result, d.Rule, c.result, c.rule)
		}
	}
}

func TestANewVersionThatDoesNotStartIsNotSavedByTheOldOne(t *testing.T) {
	t.Parallel()
	p := quick(1, 10)
	p.Targets = []autoscale.Target{{Signal: autoscale.OfferedRate, Value: 1}}
	old, young := ready(3, nil), others(1, autoscale.Failed, at(0))
	young[0].Version = "v2"
	d := decide(p, autoscale.Signals{Desired: 3, Instances: append(old, young...), Values: values{autoscale.OfferedRate: 9}})
	want(t, d, 3, autoscale.ByNeverReady)
}

func TestErrorsAreLoadOnlyWhereNothingElseExplainsThem(t *testing.T) {
	t.Parallel()
	p := quick(1, 5)
	p.Thresholds = autoscale.Thresholds{Up: values{autoscale.ErrorRatePercent: 5, autoscale.CPUPercent: 70}}
	s := autoscale.Signals{Desired: 2, Values: values{autoscale.ErrorRatePercent: 50, autoscale.CPUPercent: 10}}
	want(t, decide(p, s), 3, autoscale.ByThreshold)

	open := s
	open.BreakerOpen = true
	young := s
	young.VersionSince = at(-9 * time.Minute)
	for _, in := range []autoscale.Signals{open, young} {
		d := decide(p, in)
		want(t, d, 2, autoscale.ByNothing)
		if d.Incident == "" {
			t.Error("it is not called an incident")
		}
	}
	old := s
	old.VersionSince = at(-11 * time.Minute)
	want(t, decide(p, old), 3, autoscale.ByThreshold)

	open.Values = values{autoscale.ErrorRatePercent: 50, autoscale.CPUPercent: 90}
	want(t, decide(p, open), 3, autoscale.ByThreshold) // processors are busy all the same
}

func TestNothingIsRemovedDuringAnIncident(t *testing.T) {
	t.Parallel()
	p := totals(1, 5)
	p.Thresholds.Up = values{autoscale.ErrorRatePercent: 5}
	s := wishes(3, 1)[0]
	s.BreakerOpen = true
	s.Values[autoscale.ErrorRatePercent] = 50
	d := decide(p, s)
	if d.Result != 3 || d.Incident == "" {
		t.Errorf("%d instances, incident %q", d.Result, d.Incident)
	}
}

func TestMoreInstancesAreNotTriedWhereTheyDidNotHelp(t *testing.T) {
	t.Parallel()
	p := quick(1, 10)
	p.Thresholds = autoscale.Thresholds{Up: values{autoscale.ResponseTimeMS: 1000, autoscale.CPUPercent: 80}}
	slow := func(n int, served, response, cpu float64) autoscale.Signals {
		return autoscale.Signals{Desired: n, Instances: ready(n, nil), Values: values{
			autoscale.ServedRate: served, autoscale.ResponseTimeMS: response, autoscale.CPUPercent: cpu,
		}}
	}
	state := settledState(2)
	up := autoscale.Decide(p, state, slow(2, 100, 3000, 20), at(0))
	want(t, up, 3, autoscale.ByThreshold)
	added := slow(3, 100, 3000, 20)
	added.Instances[2].State = autoscale.Starting
	added.Instances[2].Since = at(10 * time.Second)
	seen := autoscale.Decide(p, up.Next, added, at(15*time.Second))
	// 100 requests/s and 3 s before, and after a minute with one more ready:
	still := autoscale.Decide(p, seen.Next, slow(3, 101, 3100, 20), at(90*time.Second))
	want(t, still, 3, autoscale.ByNothing)
	if still.Incident == "" || still.Proposals[0].Dismissed != autoscale.BySaturation {
		t.Errorf("incident %q, %+v", still.Incident, still.Proposals)
	}
	want(t, autoscale.Decide(p, seen.Next, slow(3, 145, 2900, 20), at(90*time.Second)), 4, autoscale.ByThreshold)  // it helped
	want(t, autoscale.Decide(p, seen.Next, slow(3, 101, 3100, 90), at(90*time.Second)), 4, autoscale.ByThreshold)  // busy themselves
	want(t, autoscale.Decide(p, still.Next, slow(3, 101, 3100, 20), at(16*time.Minute)), 4, autoscale.ByThreshold) // tried again
}

func TestASteadyLoadIsNoIncident(t *testing.T) {
	t.Parallel()
	p := totals(1, 10)
	p.Thresholds = autoscale.Thresholds{Up: values{autoscale.ResponseTimeMS: 1000}}
	state := settledState(3)
	state.LastUp = &autoscale.Before{At: at(-5 * time.Minute), Ready: 2, Served: 100, Response: 80}
	s := wishes(3, 3)[0]
	s.Values[autoscale.ServedRate], s.Values[autoscale.ResponseTimeMS] = 100, 80
	d := autoscale.Decide(p, state, s, at(0))
	if d.Incident != "" {
		t.Errorf("incident: %s", d.Incident)
	}
}

func TestDeploysFreezeAndStartingInstancesKeepOthers(t *testing.T) {
	t.Parallel()
	p := totals(1, 10)
	for _, wish := range []float64{1, 9} {
		s := wishes(3, wish)[0]
		s.Deploying = true
		want(t, decide(p, s), 3, autoscale.ByDeploy)
	}
	s := wishes(3, 1)[0]
	s.Instances = append(ready(2, nil), others(1, autoscale.Starting, at(-time.Second))...)
	want(t, decide(p, s), 3, autoscale.ByBooting)
	s.Instances[2].Since = at(-5 * time.Minute) // it will never be ready
	want(t, decide(p, s), 1, autoscale.ByTarget)
}
