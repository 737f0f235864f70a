package balancer_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
)

func TestABadFieldIsNamed(t *testing.T) {
	t.Parallel()
	cases := map[string]balancer.Config{
		"Strategy":                    {Strategy: 99},
		"OverprovisioningFactor":      {OverprovisioningFactor: 0.5},
		"PanicThreshold":              {PanicThreshold: 50},
		"Decay":                       {Decay: -time.Second},
		"FailurePenalty":              {FailurePenalty: time.Hour},
		"HashBalanceFactor":           {HashBalanceFactor: 0.9},
		"HotQuantile":                 {HotQuantile: math.NaN()},
		"SlowStart.Window":            {SlowStart: balancer.SlowStart{Window: -1}},
		"SlowStart.Aggression":        {SlowStart: balancer.SlowStart{Aggression: -1}},
		"SlowStart.MinWeightPercent":  {SlowStart: balancer.SlowStart{MinWeightPercent: 200}},
		"Ejection.LatencyFactor":      {Ejection: balancer.Ejection{LatencyFactor: 0.5}},
		"Ejection.FailureRatePercent": {Ejection: balancer.Ejection{FailureRatePercent: 101}},
		"Ejection.MinRequests":        {Ejection: balancer.Ejection{MinRequests: -1}},
		"Ejection.Window":             {Ejection: balancer.Ejection{Window: time.Millisecond}},
		"Ejection.BaseTime":           {Ejection: balancer.Ejection{BaseTime: -1}},
		"Ejection.MaxTime":            {Ejection: balancer.Ejection{MaxTime: time.Second}},
		"Ejection.JitterPercent":      {Ejection: balancer.Ejection{JitterPercent: -1}},
		"Ejection.MaxPercent":         {Ejection: balancer.Ejection{MaxPercent: 101}},
		"Ejection.MinHealthyPercent":  {Ejection: balancer.Ejection{MinHealthyPercent: math.Inf(1)}},
	}
	set, err := balancer.New(balancer.Config{})
	if err != nil {
		t.Fatalf("the zero configuration: %v", err)
	}
	for field, cfg := range cases {
		if _, err := balancer.New(cfg); err == nil || !strings.Contains(err.Error(), field+" is") && !strings.Contains(err.Error(), field+" 99") {
			t.Errorf("%s: %v", field, err)
		}
		if err := set.Update(cfg); err == nil {
			t.Errorf("%s: the update was taken", field)
		}
	}
	two := balancer.Config{Decay: -1, HotQuantile: 2}
	if _, err := balancer.New(two); err == nil || !strings.Contains(err.Error(), "Decay") || !strings.Contains(err.Error(), "HotQuantile") {
		t.Errorf("two bad fields: %v", err)
	}
}

func TestStrategyNamesGoBothWays(t *testing.T) {
	t.Parallel()
	for _, s := range balancer.Strategies() {
		if got, err := balancer.ParseStrategy(s.String()); err != nil || got != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if got, err := balancer.ParseStrategy(""); err != nil || got != balancer.P2C {
		t.Errorf("no name: %v, %v", got, err)
	}
	if _, err := balancer.ParseStrategy("fastest"); err == nil || !strings.Contains(err.Error(), "least-connections") {
		t.Errorf("unknown name: %v", err)
	}
}

func TestUpdateChangesTheStrategyAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	f := newFixture(t, balancer.Config{Strategy: balancer.RoundRobin}, weights(4, 1)...)
	f.attempts(10)
	for _, s := range balancer.Strategies() {
		if err := f.set.Update(balancer.Config{Strategy: s}); err != nil {
			t.Fatal(err)
		}
		f.attempt(time.Millisecond)
		if p := f.pick(); p.Strategy != s || p.Instance == nil {
			t.Errorf("after the update to %s: %s picked %v", s, p.Strategy, p.Instance)
		}
	}
	for _, i := range f.all {
		f.wantStatus(i, balancer.Active)
	}
	if got := f.stats(0).Attempts + f.stats(1).Attempts; got != 19 {
		t.Errorf("%d attempts are known, want 19", got)
	}
}

func TestASpecOutOfRangeIsMovedIntoIt(t *testing.T) {
	t.Parallel()
	for weight, want := range map[int]int{-5: 1, 0: 1, 7: 7, 5000: 1000} {
		i := balancer.NewInstance(balancer.Spec{Weight: weight, MaxInFlight: -1})
		if i.Spec().Weight != want || i.Spec().MaxInFlight != 0 {
			t.Errorf("weight %d became %d", weight, i.Spec().Weight)
		}
	}
}
