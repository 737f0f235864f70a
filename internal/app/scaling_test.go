package app

import (
	"reflect"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/config"
	"holdfast/internal/control"
)

// scaledFunction is a function of a profile whose processes Holdfast starts.
func scaledFunction(profile string) *config.Function {
	f := config.NewFunction(profile)
	f.Platform.Process = &config.Process{Command: []string{"true"}, Instances: 1, ReadyTimeout: config.Duration(7 * time.Second)}
	f.Scaling.Enabled = true
	return f
}

func TestTheProfilesOfTheConfigurationAreThoseOfTheLibrary(t *testing.T) {
	t.Parallel()
	for profile, want := range map[string]autoscale.Policy{"function": autoscale.FunctionPolicy(), "service": autoscale.ServicePolicy()} {
		got := scalingPolicyOf(scaledFunction(profile))
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", profile, err)
		}
		if got.Min != want.Min || got.Max != want.Max || got.Cooldown != want.Cooldown || !reflect.DeepEqual(got.Thresholds, want.Thresholds) {
			t.Errorf("%s: %+v\nwant %+v", profile, got, want)
		}
		if got.Boot != 7*time.Second {
			t.Errorf("%s: an instance may take %s to start, want ready_timeout", profile, got.Boot)
		}
	}
}

func TestNoMoreProcessesThanPorts(t *testing.T) {
	t.Parallel()
	f := scaledFunction("service")
	f.Platform.Process.Ports = config.Ports{From: 9000, To: 9002}
	f.Scaling.MinInstances = 5
	if p := scalingPolicyOf(f); p.Max != 3 || p.Min != 3 {
		t.Errorf("%d to %d instances on 3 ports", p.Min, p.Max)
	}
}

func TestADecidedNumberHoldsUntilPeopleSayAnother(t *testing.T) {
	t.Parallel()
	f, order := scaledFunction("function"), time.Now()
	var counts scaledCounts
	none, ordered := &control.Orders{}, &control.Orders{Count: &control.Count{Order: control.Order{At: order}, Instances: 1, Configured: 1}}
	if n := counts.instances("a", f, none); n != 1 {
		t.Errorf("%d before anything was decided, want 1", n)
	}
	counts.set("a", scaledCount{Instances: 4, Base: 1})
	if n := counts.instances("a", f, none); n != 4 {
		t.Errorf("%d, want 4 as decided", n)
	}
	if n := counts.instances("a", f, ordered); n != 1 {
		t.Errorf("%d after an order, want 1", n)
	}
	counts.set("a", scaledCount{Instances: 3, Base: 1, Ordered: order})
	if n := counts.instances("a", f, ordered); n != 3 {
		t.Errorf("%d, want 3 as decided after the order", n)
	}
	f.Scaling.MaxInstances = 2
	if n := counts.instances("a", f, ordered); n != 2 {
		t.Errorf("%d, and 2 are allowed", n)
	}
	f.Platform.Process.Instances = 5
	if n := counts.instances("a", f, ordered); n != 5 {
		t.Errorf("%d after another number was configured, want 5", n)
	}
	f.Scaling.Enabled = false
	counts.only(&config.Config{Functions: map[string]*config.Function{"a": f}})
	if len(counts.counts) != 0 {
		t.Error("the number of a function that is not scaled is remembered")
	}
}
