package channel_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"holdfast/internal/alerting/channel"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each kind's requests for the same notifications, as they are on the wire.
func TestEachKindSaysItInItsOwnLanguage(t *testing.T) {
	t.Parallel()
	notifications := map[string]*channel.Notification{
		"group": twoAlerts(), "resolved": oneResolved(), "test": testButton(), "heartbeat": heartbeat(),
	}
	for kind, newChannel := range kinds() {
		for name, n := range notifications {
			t.Run(kind+"-"+name, func(t *testing.T) {
				t.Parallel()
				r := newReceiver(t, nil)
				c := newChannel(t, r.URL, channel.Reach{})
				if err := c.Send(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				all := r.all()
				if channel.Wants(c, n) != (len(all) > 0) {
					t.Fatalf("wants it: %v, sent %d requests", channel.Wants(c, n), len(all))
				}
				compare(t, filepath.Join("testdata", kind+"-"+name+".golden"), wire(all))
			})
		}
	}
}

// kinds are those that speak HTTP.
func kinds() map[string]func(t *testing.T, url string, r channel.Reach) channel.Channel {
	must := func(t *testing.T, c channel.Channel, err error) channel.Channel {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return map[string]func(t *testing.T, url string, r channel.Reach) channel.Channel{
		"alertmanager": func(t *testing.T, url string, r channel.Reach) channel.Channel {
			t.Helper()
			c, err := channel.NewAlertmanager(channel.AlertmanagerConfig{Name: "c", URL: url + "/hunter2hunter2", Header: map[string]string{"Authorization": "Bearer hunter3hunter3"}, Reach: r})
			return must(t, c, err)
		},
		"slack": func(t *testing.T, url string, r channel.Reach) channel.Channel {
			t.Helper()
			c, err := channel.NewSlack(channel.SlackConfig{Name: "c", URL: url + "/services/hunter2hunter2", Reach: r})
			return must(t, c, err)
		},
		"pagerduty": func(t *testing.T, url string, r channel.Reach) channel.Channel {
			t.Helper()
			c, err := channel.NewPagerDuty(channel.PagerDutyConfig{Name: "c", URL: url + "/v2/enqueue", RoutingKey: "hunter2hunter2", Reach: r})
			return must(t, c, err)
		},
		"webhook": func(t *testing.T, url string, r channel.Reach) channel.Channel {
			t.Helper()
			c, err := channel.NewWebhook(channel.WebhookConfig{Name: "c", URL: url + "/?token=hunter2hunter2", Secret: "hunter3hunter3", Reach: r})
			return must(t, c, err)
		},
		"compatible": func(t *testing.T, url string, r channel.Reach) channel.Channel {
			t.Helper()
			c, err := channel.NewWebhook(channel.WebhookConfig{Name: "c", URL: url + "/?token=hunter2hunter2", Format: channel.Compatible, Reach: r})
			return must(t, c, err)
		},
		"heartbeat": func(t *testing.T, url string, r channel.Reach) channel.Channel {
			t.Helper()
			c, err := channel.NewHeartbeat(channel.HeartbeatConfig{Name: "c", URL: url + "/hunter2hunter2", Reach: r})
			return must(t, c, err)
		},
	}
}

// wire writes requests for people to read, without what differs each time.
func wire(all []sent) []byte {
	var out bytes.Buffer
	for _, s := range all {
		out.WriteString(s.method + " " + s.path + " " + s.header.Get("Content-Type") + "\n")
		if len(s.body) == 0 {
			continue
		}
		if err := json.Indent(&out, s.body, "", "  "); err != nil {
			out.WriteString(err.Error())
		}
		out.WriteString("\n")
	}
	return regexp.MustCompile(`"endsAt": "20[0-9T:.-]+(Z|[+-][0-9:]+)"`).ReplaceAllFunc(out.Bytes(), func(b []byte) []byte {
		if bytes.Contains(b, []byte("2026-11-22T12:30:00Z")) { // given, not counted from now
			return b
		}
		return []byte(`"endsAt": "FROM NOW"`)
	})
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}
