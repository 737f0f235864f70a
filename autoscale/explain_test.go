package autoscale_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestWhatWasMeasuredIsToldApartFromWhatWasNot(t *testing.T) {
	t.Parallel()
	p := autoscale.FunctionPolicy()
	p.Targets = []autoscale.Target{{Signal: queue, Value: 10}, {Signal: "custom:lag", Value: 1}}
	quiet := values{autoscale.OfferedRate: 0, autoscale.InFlight: 0, autoscale.QueueLength: 0}
	never := autoscale.Signals{Desired: 1, Instances: others(1, autoscale.Failed, at(-time.Hour)), Values: quiet, OfInstances: []autoscale.Signal{queue}}
	d := autoscale.Decide(p, settledState(1), never, at(0))
	text := lines(&d)
	for _, line := range []string{
		"measured: in_flight 0, offered_rate 0, queue_length 0\n",
		"not measured, and 0 since nobody asks: active_connections, cpu_percent, error_rate_percent, memory_percent, response_time_ms, custom:queue\n",
		"unknown: custom:lag, idle_seconds\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	if m := d.Measured(); len(m) != 3 {
		t.Errorf("measured: %v", m)
	}

	busy := never
	busy.Values = values{autoscale.OfferedRate: 3, autoscale.IdleSeconds: 0}
	busy.Instances = append(ready(2, values{autoscale.CPUPercent: 40, queue: 2}), busy.Instances...)
	d = autoscale.Decide(p, settledState(3), busy, at(0))
	if got := d.Inferred(); got != nil {
		t.Errorf("inferred although somebody asks: %v", got)
	}
	unknown := []autoscale.Signal{"custom:lag", autoscale.ErrorRatePercent, autoscale.MemoryPercent, autoscale.ResponseTimeMS}
	if got := d.Unknown(); !slices.Equal(got, unknown) {
		t.Errorf("unknown: %v, want %v", got, unknown)
	}
	if m := d.Measured(); m[autoscale.CPUPercent] != 40 || m[queue] != 2 || len(m) != 4 {
		t.Errorf("measured: %v", m)
	}
	none := decide(autoscale.Policy{Min: 1}, autoscale.Signals{Desired: 1})
	if text := lines(&none); !strings.Contains(text, "measured: nothing\n") || strings.Contains(text, "unknown") {
		t.Errorf("a policy without rules:\n%s", text)
	}
}

// What only instances can say is not missing where none was ever ready: neither
// each one's own, nor what it adds up to.
func TestASignalOfInstancesThatWereNeverReadyKeepsNobody(t *testing.T) {
	t.Parallel()
	quiet := values{autoscale.OfferedRate: 0, autoscale.InFlight: 0, autoscale.QueueLength: 0, autoscale.IdleSeconds: 900}
	for _, kind := range []autoscale.Kind{autoscale.Mean, autoscale.Total, autoscale.Ratio} {
		p := quick(0, 5)
		p.Boot = time.Minute
		p.Targets = []autoscale.Target{{Signal: queue, Value: 10, Kind: kind}}
		in := autoscale.Signals{Desired: 2, Values: quiet, Instances: others(2, autoscale.Failed, at(-time.Hour))}
		want(t, autoscale.Decide(p, settledState(2), in, at(0)), 2, autoscale.ByNothing)
		in.OfInstances = []autoscale.Signal{queue}
		want(t, autoscale.Decide(p, settledState(2), in, at(0)), 1, autoscale.ByTarget)
		in.Desired, in.Instances = 1, in.Instances[:1]
		want(t, autoscale.Decide(p, settledState(1), in, at(0)), 0, autoscale.ByZero)
		in.Instances = ready(1, nil) // which is silent: that one has to be measured
		want(t, autoscale.Decide(p, settledState(1), in, at(0)), 1, autoscale.ByMissing)
	}
	p := quick(1, 5)
	p.Thresholds = autoscale.Thresholds{Down: values{queue: 5}}
	in := autoscale.Signals{Desired: 2, Values: quiet, Instances: others(2, autoscale.Failed, at(-time.Hour)), OfInstances: []autoscale.Signal{queue}}
	want(t, autoscale.Decide(p, settledState(2), in, at(0)), 1, autoscale.ByThreshold)
}
