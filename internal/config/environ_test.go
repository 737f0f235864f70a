package config_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
)

func TestAnyKeyCanComeFromTheEnvironment(t *testing.T) {
	t.Parallel()
	c, origins, err := load(t, `functions: {my-func_2: {routes: [{path: /p/}], instances: [{url: "http://a:1"}], health: {headers: {X-Auth-User: me}}}}`,
		"HOLDFAST_LISTEN=:9999",
		"HOLDFAST_DATA_DIR=/var/lib/holdfast",
		"HOLDFAST_LOG__LEVEL=debug",
		"HOLDFAST_LOG__COMPONENTS__PROBER=warn",
		"HOLDFAST_TRUSTED_PROXIES=10.0.0.0/8, ::1",
		"HOLDFAST_FUNCTIONS__MY_FUNC_2__RETRY__ATTEMPTS=4",
		"HOLDFAST_FUNCTIONS__MY_FUNC_2__RETRY__STATUSES=[502, 503]",
		"HOLDFAST_FUNCTIONS__MY_FUNC_2__TIMEOUTS={connect: 1s, idle: 60000}",
		"HOLDFAST_FUNCTIONS__MY_FUNC_2__HEALTH__HEADERS__X_AUTH_USER=you",
		"HOLDFAST_FUNCTIONS__MY_FUNC_2__HEALTH__HEADERS__X_NEW=1",
		"HOLDFAST_FUNCTIONS__NEW__PLATFORM__PROCESS__COMMAND=node,server.js",
		"HOLDFAST_FUNCTIONS__NEW__PLATFORM__PROCESS__ENV__NODE_ENV=production",
		"HOLDFAST_FUNCTIONS__NEW__ROUTES=[{\"path\": \"/new/\"}]",
		"HOLDFAST_DEFAULTS__HEALTH__RISE=4",
		"HOLDFAST_DEBUG=scaling,pool",
		"HOLDFAST_SHUTDOWN_TIMEOUT=",
		"holdfast_listen=ignored",
		"NOT_OURS=1", "=C:=C:\\", "broken",
	)
	if err != nil {
		t.Fatal(err)
	}
	f, created := c.Functions["my-func_2"], c.Functions["new"]
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, ok := range map[string]bool{
		"listen":     c.Listen == ":9999" && c.DataDir == "/var/lib/holdfast",
		"log":        c.Log.Level == "debug" && c.Log.Components["prober"] == "warn",
		"proxies":    slices.Equal(c.TrustedProxies, proxies),
		"retry":      f.Retry.Attempts == 4 && slices.Equal(f.Retry.Statuses, []int{502, 503}),
		"timeouts":   f.Timeouts.Connect.Std() == time.Second && f.Timeouts.Idle.Std() == time.Minute,
		"headers":    f.Health.Headers["X-Auth-User"] == "you" && f.Health.Headers["x-new"] == "1" && len(f.Health.Headers) == 2,
		"created":    slices.Equal(created.Platform.Process.Command, []string{"node", "server.js"}) && created.Platform.Process.Env["NODE_ENV"] == "production",
		"defaults":   f.Health.Rise == 4 && created.Health.Rise == 4,
		"empty":      c.ShutdownTimeout.Std() == 30*time.Second,
		"origin":     origins.Of("listen") == config.Origin{Kind: config.OriginEnvironment, Variable: "HOLDFAST_LISTEN"},
		"no origin":  origins.Of("shutdown_timeout") == config.Origin{},
		"functions":  len(c.Functions) == 2,
		"whole list": origins.Of("functions.my-func_2.retry.statuses").Variable == "HOLDFAST_FUNCTIONS__MY_FUNC_2__RETRY__STATUSES",
	} {
		if !ok {
			t.Errorf("%s is wrong: %+v %+v", name, f, created)
		}
	}
}

func TestOneVariableIsEnoughForAlertsInSlack(t *testing.T) {
	t.Parallel()
	const url = "https://hooks.slack.com/services/T/B/hunter2"
	const rest = `functions: {public: {routes: [{path: /}], instances: [{url: "http://a:1"}]}}`
	c, origins, err := load(t, rest, "HOLDFAST_ALERTS_SLACK_URL="+url)
	if err != nil {
		t.Fatal(err)
	}
	slack := c.Alerts.Channels["slack"]
	if slack == nil || slack.Kind() != "slack" || slack.Slack.URL != url || slack.Severity != "warning" {
		t.Errorf("%+v", slack)
	}
	if at := origins.Of("alerts.channels.slack.slack.url").String(); at != "environment HOLDFAST_ALERTS_SLACK_URL" {
		t.Errorf("comes from %s", at)
	}
	if text := string(config.Marshal(c, true)); strings.Contains(text, "hunter2") || !strings.Contains(text, "url: \"***\"") {
		t.Errorf("masked:\n%s", text)
	}
	for _, change := range config.Diff(nil, c) {
		if strings.Contains(change.String(), "hunter2") {
			t.Errorf("shown: %s", change)
		}
	}
	c, _, err = load(t, "alerts: {channels: {slack: {slack: 'https://elsewhere.example/', severity: critical}}}\n"+rest, "HOLDFAST_ALERTS_SLACK_URL="+url)
	if err != nil || c.Alerts.Channels["slack"].Slack.URL != url || c.Alerts.Channels["slack"].Severity != "critical" || len(c.Alerts.Channels) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheNamedVariablesOfOtherPlatforms(t *testing.T) {
	t.Parallel()
	c, origins := mustLoad(t, config.Options{Environ: []string{
		"SUPABASE_MAX_CONNECTIONS=40",
		"SUPABASE_MIN_CONNECTIONS=4",
		`LOAD_BALANCER_INSTANCES=[{"id": "a", "url": "http://10.0.0.1:3000", "weight": 2}, {"id": "b", "url": "http://10.0.0.2:3000"}]`,
		"DEPLOYMENT_PLATFORM=vercel",
		"HOLDFAST_POOL__MIN=5",
	}})
	f := c.Functions["default"]
	if c.Pool.Max != 40 || c.Pool.Min != 5 || c.Platform != "vercel" {
		t.Errorf("pool %+v, platform %s", c.Pool, c.Platform)
	}
	if len(f.Instances) != 2 || f.Instances[0].Weight != 2 || f.Instances[1].Weight != 1 || f.Routes[0].Path != "/" {
		t.Errorf("default: %+v", f)
	}
	if at := origins.Of("functions.default.instances[0].url").String(); at != "environment LOAD_BALANCER_INSTANCES" {
		t.Errorf("the instance comes from %s", at)
	}
}

func TestLoadBalancerInstancesReplaceTheSourceInTheFile(t *testing.T) {
	t.Parallel()
	c, _, err := load(t, `functions: {default: {routes: [{path: /api/}], retry: {attempts: 1}, platform: {process: {command: [a]}}}}`,
		`LOAD_BALANCER_INSTANCES=[{"url": "http://10.0.0.1:3000"}]`)
	if err != nil {
		t.Fatal(err)
	}
	f := c.Functions["default"]
	if f.Platform.Process != nil || f.Instances[0].ID != "10.0.0.1:3000" || f.Routes[0].Path != "/api/" || f.Retry.Attempts != 1 {
		t.Errorf("got %+v", f)
	}
}

func TestVariablesOfOthersCanBeNamed(t *testing.T) {
	t.Parallel()
	o := config.Options{Environ: []string{"HOLDFAST_TOKEN=x"}}
	if _, _, err := config.Load(o); err == nil || !strings.HasPrefix(err.Error(), "HOLDFAST_TOKEN: names no key") {
		t.Errorf("got %v", err)
	}
	o.IgnoreVariables = []string{"HOLDFAST_TOKEN"}
	if _, _, err := config.Load(o); err != nil {
		t.Error(err)
	}
}

func TestOverridesOfVanishedFunctionsAreSetAside(t *testing.T) {
	t.Parallel()
	c, origins := mustLoad(t, config.Options{
		Files:    []string{"f.yaml"},
		ReadFile: readMap(map[string]string{"f.yaml": small}),
		Overrides: map[string]any{
			"functions.gone.retry.attempts": 1,
			"functions.public.scaling":      map[string]any{"enabled": true, "max_instances": 7.0, "cooldown_period": nil},
			"log":                           map[string]any{"level": "debug"},
			"functions.public.instances":    []any{map[string]any{"url": "http://b:1", "weight": int64(3)}},
		},
	})
	f := c.Functions["public"]
	if !f.Scaling.Enabled || f.Scaling.MaxInstances != 7 || c.Log.Level != "debug" || f.Instances[0].Weight != 3 || len(c.Functions) != 1 {
		t.Errorf("got %+v", f)
	}
	if !slices.Equal(origins.Stale(), []string{"functions.gone"}) {
		t.Errorf("stale %v", origins.Stale())
	}
	if got := origins.Of("functions.public.scaling.enabled").String(); got != "override" {
		t.Errorf("scaling.enabled comes from %s", got)
	}
}

func TestBadOverridesAreProblems(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 100 {
		deep = map[string]any{"a": deep}
	}
	for key, tt := range map[string]struct {
		value any
		want  string
	}{
		"functions.public.retry.attempt":    {1, "override: functions.public.retry.attempt: is not a known key; did you mean attempts?"},
		"functions.public.retry.attempts":   {99, "override: functions.public.retry.attempts: must be between 0 and 5, is 99; leave it out for the default, 2"},
		"log.level":                         {struct{}{}, "override: log.level: has a value of type struct {}; hand it in as JSON would decode it"},
		"log":                               {deep, "override: log: is nested more than 64 levels deep; hand it in as JSON would decode it"},
		"functions.public.instances[0].url": {"http://x", "override: functions.public.instances[0].url: names an element of a list; override the list as a whole"},
		"functions.public.instances":        {[]any{func() {}}, "override: functions.public.instances: has a value of type func(); hand it in as JSON would decode it"},
	} {
		_, _, err := config.Load(config.Options{
			Files:     []string{"f.yaml"},
			ReadFile:  readMap(map[string]string{"f.yaml": small}),
			Overrides: map[string]any{key: tt.value},
		})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s:\ngot  %v\nwant %s", key, err, tt.want)
		}
	}
}
