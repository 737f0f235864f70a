package app

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"holdfast/autoscale"
	"holdfast/balancer"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/platform"
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
		want.Thresholds.Remove = 1 // the library's default, written out
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

// scalingFrom returns a function with these keys of scaling, and its policy.
func scalingFrom(t *testing.T, profile, keys string) (*config.Function, autoscale.Policy) {
	t.Helper()
	text := "functions: {a: {profile: " + profile + ", routes: [{path: /}], platform: {process: {command: [a]}}, scaling: {enabled: true, " + keys + "}}}\n"
	c, _, err := config.Load(config.Options{
		Files: []string{"holdfast.yaml"}, ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	p := scalingPolicyOf(c.Functions["a"])
	if err := p.Validate(); err != nil {
		t.Errorf("%s: %v", keys, err)
	}
	return c.Functions["a"], p
}

func TestWithoutFurtherKeysTheCooldownIsTheOnlyRest(t *testing.T) {
	t.Parallel()
	one := []autoscale.Rate{{Instances: 1, Per: time.Second}}
	for _, tt := range []struct {
		profile, keys string
		cooldown      time.Duration
		hold          time.Duration
	}{
		{"function", "", 5 * time.Minute, -1},
		{"service", "", 5 * time.Minute, 5 * time.Minute},
		{"service", "cooldown_period: 0", 0, -1},
		{"function", "cooldown_period: 1m", time.Minute, -1},
		{"function", "scale_down_threshold: {idle_time_minutes: 0}", 5 * time.Minute, 5 * time.Minute},
		{"service", "targets: {in_flight: 8}", 0, 5 * time.Minute},
	} {
		_, p := scalingFrom(t, tt.profile, tt.keys)
		if p.Cooldown != tt.cooldown || p.Down.Hold != tt.hold || !reflect.DeepEqual(p.Down.Rates, one) || p.Up.Hold != 0 || p.Up.Rates != nil {
			t.Errorf("%s, %q: cooldown %s, up %+v, down %+v", tt.profile, tt.keys, p.Cooldown, p.Up, p.Down)
		}
	}
}

func TestAsManyGoAtOnceAsAreToBeRemoved(t *testing.T) {
	t.Parallel()
	want := []autoscale.Rate{{Instances: 3, Per: time.Second}}
	if _, p := scalingFrom(t, "service", "scale_down_threshold: {remove: 3}"); !reflect.DeepEqual(p.Down.Rates, want) {
		t.Errorf("down %+v", p.Down)
	}
	want = []autoscale.Rate{{Instances: 1, Per: time.Minute}}
	if _, p := scalingFrom(t, "service", "scale_down_threshold: {remove: 3}, down: {rates: [{instances: 1, per: 1m}]}"); !reflect.DeepEqual(p.Down.Rates, want) {
		t.Errorf("with a rate of its own: down %+v", p.Down)
	}
}

func TestEveryKeyOfScalingReachesThePolicy(t *testing.T) {
	t.Parallel()
	f, p := scalingFrom(t, "service", `min_instances: 2, max_instances: 20, cooldown_period: 30s, changes_per_hour: 6, tolerance_percent: 0, boot: 45s,
  scale_up_threshold: {cpu_percent: 90, signals: {queue_length: 50, lag: 9}, steps: [{over_percent: 50, add: 2, add_percent: 25}]},
  scale_down_threshold: {cpu_percent: 20, signals: {lag: 1}, remove: 2},
  signals: {queue: {health_json: jobs.waiting}, total: {health_json: jobs.waiting, combine: sum}, lag: {formula: "total / 2 + twice"}, twice: {formula: "queue * 2"}},
  targets: {queue: 5, total: 50, in_flight: {value: 8, kind: total}, response_time_ms: 300},
  capacity: {concurrency: 4, service_time: 80ms, wait: 100ms, waiting_percent: 2, variation: 1.5},
  panic: {factor: 3, for: 90s, drain: 20s},
  up: {hold: 4s, careful: true, rates: [{instances: 2, percent: 50, per: 30s}]}, down: {hold: 10m, never: true, rates: [{percent: 10, per: 60s}]},
  schedules: {office: {cron: "0 8 * * mon-fri", zone: Europe/Berlin, duration: 10h, min_instances: 5, max_instances: 15}},
  budget: {per_hour: 3, per_month: 900, price: 0.5, at_cap: shrink},
  guards: {version_is_new: 3m, settle: 20s, try_again: 5m},
  mode: {kind: pinned, at: 7, until: "2026-12-01T06:00:00Z"}`)
	lag, total := autoscale.Signal("custom:lag"), autoscale.Signal("custom:total")
	want := autoscale.Policy{
		Min: 2, Max: 20, Cooldown: 30 * time.Second, ChangesPerHour: 6, Tolerance: -1, Boot: 45 * time.Second,
		Thresholds: autoscale.Thresholds{
			Up:    map[autoscale.Signal]float64{autoscale.CPUPercent: 90, autoscale.QueueLength: 50, lag: 9},
			Down:  map[autoscale.Signal]float64{autoscale.CPUPercent: 20, lag: 1},
			Steps: []autoscale.Step{{Over: 50, Add: 2, Percent: 25}}, Remove: 2,
		},
		Targets: []autoscale.Target{
			{Signal: autoscale.InFlight, Value: 8, Kind: autoscale.Total},
			{Signal: "custom:queue", Value: 5, Kind: autoscale.Mean},
			{Signal: autoscale.ResponseTimeMS, Value: 300},
			{Signal: total, Value: 50},
		},
		Capacity:  &autoscale.Capacity{Slots: 4, Waiting: 0.02, MaxWait: 100 * time.Millisecond, Variation: 1.5},
		Panic:     autoscale.Panic{Factor: 3, For: 90 * time.Second, Drain: 20 * time.Second},
		Up:        autoscale.Limits{Hold: 4 * time.Second, Careful: true, Rates: []autoscale.Rate{{Instances: 2, Percent: 50, Per: 30 * time.Second}}},
		Down:      autoscale.Limits{Hold: 10 * time.Minute, Never: true, Rates: []autoscale.Rate{{Percent: 10, Per: time.Minute}}},
		Schedules: []autoscale.Schedule{{Name: "office", Min: 5, Max: 15}},
		Budget:    autoscale.Budget{Price: 0.5, PerHour: 3, PerMonth: 900, AtCap: autoscale.ShrinkAtCap},
		Guards:    autoscale.Guards{VersionIsNew: 3 * time.Minute, Settle: 20 * time.Second, TryAgain: 5 * time.Minute},
		Mode:      autoscale.Mode{Kind: autoscale.Pinned, At: 7, Until: time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)},
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("%+v\nwant %+v", p, want)
	}
	target := scalingTargetOf(f)
	if target.ServiceTime != 80*time.Millisecond || len(target.Windows) != 1 || len(target.Combined) != 1 || target.Combined[0].Signal != total ||
		!slices.Equal(target.OfInstances, []autoscale.Signal{"custom:queue", total}) {
		t.Errorf("%+v", target)
	}
	if d := target.Derived; len(d) != 2 || d[0].Signal != "custom:twice" || d[1].Signal != lag || d[1].Means["total"] != total {
		t.Errorf("%+v: want twice before lag, which uses it", d)
	}
	// 8:00 in Berlin in winter is 7:00 in UTC.
	if w := target.Windows["office"]; !w.Open(time.Date(2026, 11, 23, 7, 30, 0, 0, time.UTC)) || w.Open(time.Date(2026, 11, 23, 6, 30, 0, 0, time.UTC)) {
		t.Error("the window is not open when clocks in Berlin say so")
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

func TestWhatAPlatformSaysOfAnInstanceReachesTheScaler(t *testing.T) {
	t.Parallel()
	since := time.Unix(1000, 0)
	for _, c := range []struct {
		state  platform.State
		health balancer.Health
		want   autoscale.InstanceState
	}{
		{platform.Starting, balancer.HealthUp, autoscale.Starting},
		{platform.Running, balancer.HealthUp, autoscale.Ready},
		{platform.Running, balancer.HealthUnknown, autoscale.Starting}, // unknown is never taken for ready
		{platform.Running, balancer.HealthDown, autoscale.Unready},
		{platform.Gone, balancer.HealthUp, autoscale.Unready},
		{platform.CrashLoop, balancer.HealthUnknown, autoscale.Failed},
		{platform.Stopping, balancer.HealthUp, autoscale.Draining},
		{platform.Stopped, balancer.HealthUp, autoscale.Draining},
	} {
		got := instanceForScaling(&platform.Instance{ID: "a", State: c.state, Since: since, Version: "v2"}, c.health)
		if want := (autoscale.Instance{ID: "a", State: c.want, Since: since, Version: "v2"}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s, health %v: %+v, want %+v", c.state, c.health, got, want)
		}
	}
}
