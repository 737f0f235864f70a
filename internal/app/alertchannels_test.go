package app

import (
	"slices"
	"testing"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/config"
)

// loadAll reads a whole file, to which it adds a function.
func loadAll(t *testing.T, text string) *config.Config {
	t.Helper()
	text += "\nfunctions: {a: {routes: [{path: /a/}], instances: [{url: 'http://127.0.0.1:1'}]}}\n"
	c, _, err := config.Load(config.Options{
		Files: []string{"t.yaml"}, ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachKindOfChannelIsMadeFromTheConfiguration(t *testing.T) {
	t.Parallel()
	c := loadAll(t, `alerts:
  channels:
    chat: {slack: "https://hooks.slack.com/services/T/B/x"}
    oncall: {severity: critical, functions: [a], pagerduty: {routing_key: "0123"}}
    mail: {email: {server: "mail.example.com:587", user: u, password: p, from: "h@example.com", to: [a@example.com]}}
    am: {alertmanager: "http://am:9093", severity: info}
    hook: {webhook: {url: "https://x.example/y", secret: s}}
    alive: {heartbeat: "https://hc.example/id"}
`)
	var channels alertChannels
	list, err := channels.of(c)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, one := range list {
		kinds = append(kinds, one.Name()+" "+one.Kind())
	}
	if want := []string{"alive heartbeat", "am alertmanager", "chat slack", "hook webhook", "mail email", "oncall pagerduty"}; !slices.Equal(kinds, want) {
		t.Errorf("%q", kinds)
	}
	told := func(name string, a channel.Alert) bool {
		i := slices.IndexFunc(list, func(one channel.Channel) bool { return one.Name() == name })
		return channel.Wants(list[i], &channel.Notification{Alerts: []channel.Alert{a}})
	}
	for _, tt := range []struct {
		name string
		a    channel.Alert
		want bool
	}{
		{"chat", channel.Alert{Severity: channel.Warning}, true},
		{"chat", channel.Alert{Severity: channel.Info}, false},
		{"am", channel.Alert{Severity: channel.Info}, true},
		{"oncall", channel.Alert{Severity: channel.Critical, Function: "a"}, true},
		{"oncall", channel.Alert{Severity: channel.Critical}, false},
		{"oncall", channel.Alert{Severity: channel.Warning, Function: "a"}, false},
		{"alive", channel.Alert{Severity: channel.Critical}, false},
	} {
		if got := told(tt.name, tt.a); got != tt.want {
			t.Errorf("%s is told of %+v: %v", tt.name, tt.a, got)
		}
	}
}

func TestAReloadKeepsTheChannelsItDoesNotChange(t *testing.T) {
	t.Parallel()
	const before = "alerts: {channels: {one: {heartbeat: 'https://hc.example/1'}, two: {heartbeat: 'https://hc.example/2'}}}"
	const after = "alerts: {channels: {one: {heartbeat: 'https://hc.example/1'}, two: {heartbeat: 'https://hc.example/3'}}}"
	var channels alertChannels
	first, err := channels.of(loadAll(t, before))
	if err != nil {
		t.Fatal(err)
	}
	second, err := channels.of(loadAll(t, after))
	if err != nil {
		t.Fatal(err)
	}
	if first[0] != second[0] || first[1] == second[1] {
		t.Errorf("kept %v, changed %v", first[0] == second[0], first[1] != second[1])
	}
}
