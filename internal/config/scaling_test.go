package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

// scalingOf loads a function with these keys of scaling, in flow style.
func scalingOf(t *testing.T, keys string) (*config.Scaling, error) {
	t.Helper()
	c, _, err := load(t, "functions: {a: {routes: [{path: /}], instances: [{url: \"http://a:1\"}], scaling: {"+keys+"}}}\n")
	if err != nil {
		return nil, err
	}
	return &c.Functions["a"].Scaling, nil
}

func TestATargetMayBeWrittenShortOrLong(t *testing.T) {
	t.Parallel()
	c, err := scalingOf(t, "targets: {cpu_percent: 70, in_flight: {value: 8, kind: total}}, mode: advisory")
	if err != nil {
		t.Fatal(err)
	}
	if x := c.Targets["cpu_percent"]; x == nil || *x != (config.ScalingTarget{Value: 70, Kind: "auto"}) {
		t.Errorf("cpu_percent: %+v", x)
	}
	if x := c.Targets["in_flight"]; x == nil || *x != (config.ScalingTarget{Value: 8, Kind: "total"}) {
		t.Errorf("in_flight: %+v", x)
	}
	if c.Mode != (config.ScalingMode{Kind: "advisory"}) {
		t.Errorf("mode: %+v", c.Mode)
	}
}

func TestShortAndLongFormsAreMergedKeyByKey(t *testing.T) {
	t.Parallel()
	o := config.Options{
		Files: []string{"a.yaml", "b.yaml"},
		ReadFile: readMap(map[string]string{
			"a.yaml": small + "defaults: {scaling: {targets: {in_flight: {value: 5, kind: total}}, mode: advisory}}\n",
			"b.yaml": "functions: {public: {scaling: {targets: {in_flight: 8}}}}\n",
		}),
		Environ:   []string{"HOLDFAST_FUNCTIONS__PUBLIC__SCALING__TARGETS__CPU_PERCENT=60"},
		Overrides: map[string]any{"functions.public.scaling.mode": "up-only"},
	}
	c, origins := mustLoad(t, o)
	s := c.Functions["public"].Scaling
	if x := *s.Targets["in_flight"]; x != (config.ScalingTarget{Value: 8, Kind: "total"}) {
		t.Errorf("in_flight: %+v, want the file's value and the defaults' kind", x)
	}
	if x := s.Targets["cpu_percent"]; x == nil || x.Value != 60 {
		t.Errorf("cpu_percent: %+v, want 60 from the environment", x)
	}
	if s.Mode.Kind != "up-only" {
		t.Errorf("mode: %+v, want the override", s.Mode)
	}
	if at := origins.Of("functions.public.scaling.targets.in_flight.value").String(); at != "file b.yaml:1:53" {
		t.Errorf("the value comes from %s", at)
	}
}

func TestTargetsSwitchOffTheDefaultsThatWouldStandAgainstThem(t *testing.T) {
	t.Parallel()
	plain, err := scalingOf(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if plain.ScaleUpThreshold.CPUPercent != 70 || plain.CooldownPeriod.Std() != 5*time.Minute || plain.Down.Hold != 0 {
		t.Errorf("without targets: %+v", plain)
	}
	c, err := scalingOf(t, "targets: {in_flight: 8}, scale_up_threshold: {memory_percent: 90}")
	if err != nil {
		t.Fatal(err)
	}
	if c.ScaleUpThreshold.CPUPercent != 0 || c.ScaleUpThreshold.MemoryPercent != 90 || c.ScaleDownThreshold.IdleTimeMinutes != 0 || c.CooldownPeriod != 0 {
		t.Errorf("with targets: %+v", c)
	}
	if c.Down.Hold.Std() != 5*time.Minute {
		t.Errorf("down.hold is %s, want 5m", c.Down.Hold)
	}
	if c, err = scalingOf(t, "capacity: {concurrency: 4}, cooldown_period: 1m"); err != nil || c.Down.Hold.Std() != time.Minute || c.CooldownPeriod.Std() != time.Minute {
		t.Errorf("with a cooldown: %+v, %v", c, err)
	}
	if c, err = scalingOf(t, "targets: {in_flight: 8}, down: {hold: 30s}"); err != nil || c.Down.Hold.Std() != 30*time.Second {
		t.Errorf("with a hold: %+v, %v", c, err)
	}
}

const everySignal = `signals: {queue: {health_json: jobs.waiting, combine: sum}, lag: {prometheus: {url: "http://p:9090/base", query: "sum(lag)"}},
  depth: {http_json: {url: "https://q/x?y=1", path: queues.0.length, headers: {Authorization: hush}, interval: 1s}}, pressure: {formula: "queue / 10 + in_flight"}}`

func TestSignalsOfEveryKindAreRead(t *testing.T) {
	t.Parallel()
	c, err := scalingOf(t, everySignal+", targets: {pressure: 2, depth: {value: 5, kind: mean}}, scale_up_threshold: {signals: {lag: 100}}, scale_down_threshold: {signals: {lag: 10, queue: 3}}")
	if err != nil {
		t.Fatal(err)
	}
	if g := c.Signals["queue"]; g.HealthJSON != "jobs.waiting" || g.Combine != "sum" {
		t.Errorf("%+v", g)
	}
	if g := c.Signals["lag"].Prometheus; g == nil || g.Query != "sum(lag)" || g.Interval.Std() != 15*time.Second || g.Timeout.Std() != 5*time.Second {
		t.Errorf("%+v", g)
	}
	if g := c.Signals["depth"].HTTPJSON; g == nil || g.Timeout.Std() != time.Second {
		t.Errorf("%+v: the timeout nobody wrote is no longer than the interval", g)
	}
	if c.ScaleUpThreshold.Signals["lag"] != 100 || c.ScaleDownThreshold.Signals["queue"] != 3 {
		t.Errorf("%+v", c.ScaleDownThreshold)
	}
}

func TestWhatIsWrongWithScalingIsSaidWithItsWayOut(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"targets: {cpu_precent: 70}":                                               "targets.cpu_precent: is no signal; did you mean cpu_percent?",
		"targets: {jobs: 70}":                                                      "targets.jobs: is no signal; there are active_connections,",
		"targets: {in_flight: 0}":                                                  "targets.in_flight.value: must be more than 0",
		"targets: {in_flight: {kind: mean}}":                                       "targets.in_flight.value: is missing",
		"targets: {in_flight: many}":                                               "targets.in_flight.value: must be a number",
		"targets: {in_flight: {value: 1, kind: sum}}":                              "must be one of auto, mean, total, ratio",
		"targets: {In-Flight: 1}":                                                  "is not the name of a signal",
		"targets: [in_flight]":                                                     "must be a block of keys",
		"signals: {cpu_percent: {health_json: x}}":                                 "is a signal that Holdfast measures itself",
		"signals: {and: {health_json: x}}":                                         "is a word of formulas",
		"signals: {q: {}}":                                                         "says not where the signal comes from",
		"signals: {q: {health_json: x, formula: in_flight}}":                       "has both health_json and formula",
		"signals: {q: {health_json: a..b}}":                                        "must be a way to a number",
		"signals: {q: {formula: 'in_flight + quue'}, queue: {health_json: x}}":     "signals.q.formula: uses quue, which is no signal; did you mean queue?",
		"signals: {q: {formula: 'q + 1'}}":                                         "uses q, which is no signal",
		"signals: {q: {formula: 'len(1)'}}":                                        "there is no function len",
		"signals: {q: {formula: 'r'}, r: {formula: 'q'}}":                          "signals.q.formula: uses itself: q -> r -> q",
		"signals: {q: {formula: '1', combine: sum}}":                               "combine: has no effect without health_json",
		"signals: {q: {prometheus: {query: x}}}":                                   "prometheus.url: is missing",
		"signals: {q: {prometheus: {url: 'http://p', query: ''}}}":                 "must not be empty",
		"signals: {q: {http_json: {url: 'http://u:secret1@h/'}}}":                  "must not hold a user or password",
		"signals: {q: {http_json: {url: 'file:///etc/passwd'}}}":                   "must be a URL",
		"signals: {q: {http_json: {url: 'http://h', timeout: 20s, interval: 5s}}}": "must be at most interval, 5s, is 20s",
		"scale_up_threshold: {signals: {queue: 1}}":                                "scale_up_threshold.signals.queue: is no signal",
		"scale_up_threshold: {signals: {cpu_percent: 1}}":                          "has a key of its own",
		"scale_up_threshold: {signals: {in_flight: 1}}, scale_down_threshold: {signals: {in_flight: 1}}": "scale_down_threshold, 1, must be below scale_up_threshold, 1",
		"scale_up_threshold: {steps: [{over_percent: 10}]}":                                              "steps[0]: adds nothing",
		"panic: {factor: 3}": "panic: has no effect without a target for in_flight, or capacity",
		"capacity: {}":       "capacity.concurrency: is missing",
		"capacity: {concurrency: 1000}, max_instances: 10000":                                   "must be at most 1000000",
		"up: {rates: [{per: 15s}]}":                                                             "up.rates[0]: allows nothing",
		"schedules: {x: {cron: '0 8 * *', duration: 1h, min_instances: 2}}":                     "schedules.x.cron: must be a time as in cron: it must have five fields",
		"schedules: {x: {cron: '0 8 * * *', duration: 1h, zone: Mars, min_instances: 2}}":       "must be the name of a time zone",
		"schedules: {x: {cron: '0 8 * * *', duration: 1h}}":                                     "schedules.x: changes nothing",
		"schedules: {x: {cron: '0 8 * * *', duration: 1h, min_instances: 3, max_instances: 2}}": "must be at most max_instances, 2, is 3",
		"budget: {price: 2}":                    "budget.price: has no effect without per_hour or per_month",
		"budget: {at_cap: shrink}":              "budget.at_cap: has no effect",
		"mode: paused":                          "mode.until: is missing",
		"mode: {kind: paused, until: tomorrow}": "must be a time such as",
		"mode: {until: '2026-12-01T06:00:00Z'}": "mode.until: has no effect with kind on",
		"mode: pinned":                          "mode.at: is missing",
		"mode: {kind: pinned, at: 50}":          "must be between min_instances, 1, and max_instances, 5, is 50",
		"mode: {kind: advisory, at: 5}":         "mode.at: has no effect without kind pinned",
		"mode: off":                             "must be one of on, up-only, advisory, paused, pinned",
	} {
		_, err := scalingOf(t, keys)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "holdfast.yaml:1:") || strings.Contains(err.Error(), "secret1") {
			t.Errorf("%s:\n%v\nwant %s", keys, err, want)
		}
	}
	_, _, err := load(t, `functions: {a: {routes: [{path: /}], instances: [{url: "http://a:1"}], health: {type: tcp}, scaling: {signals: {q: {health_json: x}}}}}`)
	if err == nil || !strings.Contains(err.Error(), "signals.q.health_json: needs a health check over HTTP") {
		t.Errorf("%v", err)
	}
}

func TestWhereNumbersAreFetchedIsClosedToTheAPI(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"functions.a.scaling.targets.in_flight":               true,
		"functions.a.scaling.targets.in_flight.kind":          true,
		"functions.a.scaling.mode":                            true,
		"functions.a.scaling.mode.until":                      true,
		"functions.a.scaling.signals.q.health_json":           true,
		"functions.a.scaling.signals.q.formula":               true,
		"functions.a.scaling.signals.q.prometheus":            false,
		"functions.a.scaling.signals.q.prometheus.url":        false,
		"functions.a.scaling.signals.q.prometheus.query":      false,
		"functions.a.scaling.signals.q.http_json.url":         false,
		"functions.a.scaling.signals.q.http_json.headers.a.b": false,
	} {
		why, _ := config.Settable(path, false)
		if (why == "") != want {
			t.Errorf("%s: settable is %v", path, why == "")
		}
		if why, _ := config.Settable(path, true); why != "" {
			t.Errorf("%s: %s, although programs are allowed", path, why)
		}
	}
	if _, block := config.Settable("functions.a.scaling.targets.in_flight", false); block {
		t.Error("a target cannot be set by its short form")
	}
	if _, block := config.Settable("functions.a.scaling.signals.q", false); !block {
		t.Error("a signal can be set as a whole, its URL with it")
	}
}

func TestTheExampleOfTheManualLoads(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/autoscaling.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok || !strings.Contains(text, "signals:") {
		t.Fatal("the page has no example of signals")
	}
	c, _, err := config.Load(config.Options{
		Files:    []string{"holdfast.yaml"},
		ReadFile: readMap(map[string]string{"holdfast.yaml": text, "queue-token": "hush"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Functions["public"].Scaling.Signals["depth"].HTTPJSON.Headers["Authorization"]; got != "Bearer hush" {
		t.Errorf("the header is %q", got)
	}
	if shown := string(config.Marshal(c, true)); strings.Contains(shown, "hush") {
		t.Errorf("a secret is shown:\n%s", shown)
	}
}
