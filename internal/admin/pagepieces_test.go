package admin_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/drill"
	"holdfast/internal/admin"
	"holdfast/internal/scaler"
)

func TestDecisionsSayWhatTheyWereMadeOf(t *testing.T) {
	t.Parallel()
	policy := autoscale.Policy{Min: 1, Max: 4, Targets: []autoscale.Target{{Signal: autoscale.InFlight, Value: 4}, {Signal: "custom:jobs", Value: 1}}}
	signals := autoscale.Signals{Desired: 1, Values: map[autoscale.Signal]float64{autoscale.InFlight: 11}, Instances: []autoscale.Instance{
		{ID: "a", Values: map[autoscale.Signal]float64{autoscale.CPUPercent: 30}},
	}}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	d := autoscale.Decide(policy, autoscale.State{}, signals, now)
	s := open(t, func(c *admin.Config) {
		c.Scaling = func(string) (scaler.View, bool, string) {
			return scaler.View{Latest: d, Earlier: []autoscale.Decision{d}}, true, ""
		}
	})
	s.serve()
	var v admin.Scaling
	if status := s.get("/api/v1/functions/public/scaling", &v); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	for _, x := range []admin.ScalingDecision{*v.Latest, v.Earlier[0]} {
		if x.Min != 1 || x.Max != 4 || x.Result != 3 || x.Measured[autoscale.InFlight] != 11 || x.Measured[autoscale.CPUPercent] != 30 || len(x.Measured) != 2 || !slices.Equal(x.Unknown, []autoscale.Signal{"custom:jobs"}) {
			t.Errorf("decision %+v, want 3 of 1 to 4, made of 11 in flight and 30 %% of a processor without the jobs", x)
		}
	}
}

func TestDrillsThatAreBuiltInAreListed(t *testing.T) {
	t.Parallel()
	s := open(t)
	var v admin.Experiments
	if status := s.get("/api/v1/experiments", &v); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if len(v.Experiments) != len(drill.Names()) {
		t.Fatalf("%d are listed, want %d", len(v.Experiments), len(drill.Names()))
	}
	for i, x := range v.Experiments {
		if x.Name != drill.Names()[i] || x.About == "" || x.Instances < 1 || x.Seconds < 3 {
			t.Errorf("listed as %+v, want the %dth, %s, with what it does", x, i, drill.Names()[i])
		}
	}
}
