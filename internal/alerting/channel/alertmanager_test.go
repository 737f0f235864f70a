package channel_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/test/need"
)

// standing is an alert as Alertmanager shows it.
type standing struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	EndsAt      time.Time         `json:"endsAt"`
	Status      struct {
		State string `json:"state"`
	} `json:"status"`
}

// A real Alertmanager takes what is pushed, keeps two alerts apart, tells its own
// receiver of them in the very form that our own webhook has, and hears of the
// end.
func TestARealAlertmanagerTakesAlertsAndTheirEnd(t *testing.T) {
	t.Parallel()
	receiver := newReceiver(t, nil)
	url := alertmanager(t, receiver.URL)
	c, err := channel.NewAlertmanager(channel.AlertmanagerConfig{Name: "am", URL: url})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second).UTC()
	n := twoAlerts()
	n.More = 0
	for i := range n.Alerts {
		n.Alerts[i].Began, n.Alerts[i].Ended = now.Add(-time.Minute), time.Time{}
	}
	for _, one := range []*channel.Notification{n, n, heartbeat(), testButton()} { // the same twice makes no more of them
		if err := c.Send(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	var list []standing
	poll(t, "four alerts", func() bool {
		list = alertsOf(t, url)
		return len(list) == 4
	})
	rules := map[string]standing{}
	for _, s := range list {
		rules[s.Labels["alertname"]] = s
	}
	got := rules["error_rate"]
	if got.Labels["tier_1"] != "yes" || got.Labels["function"] != "payments" || got.Annotations["summary"] != n.Alerts[0].Summary || got.Status.State != "active" {
		t.Errorf("%+v", got)
	}
	if left := time.Until(got.EndsAt); left < 3*time.Minute || left > 5*time.Minute {
		t.Errorf("taken for resolved in %v", left)
	}
	if rules["HoldfastHeartbeat"].Labels["severity"] != "none" || rules["HoldfastTest"].Labels["severity"] != "info" || rules["memory"].Labels["instance"] != "10.0.0.1:3000" {
		t.Errorf("%+v", rules)
	}
	var theirs map[string]any
	poll(t, "its webhook", func() bool { return len(receiver.all()) > 0 })
	if err := json.Unmarshal(receiver.all()[0].body, &theirs); err != nil {
		t.Fatal(err)
	}
	sameForm(t, theirs, ourForm(t))

	for i := range n.Alerts {
		n.Alerts[i].Ended = now
	}
	if err := c.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	poll(t, "the end of both", func() bool {
		list = alertsOf(t, url)
		return !slices.ContainsFunc(list, func(s standing) bool {
			return s.Labels["alertname"] == "error_rate" || s.Labels["alertname"] == "memory"
		})
	})
}

// ourForm is what our own webhook sends in Alertmanager's name.
func ourForm(t *testing.T) map[string]any {
	t.Helper()
	r := newReceiver(t, nil)
	if err := kinds()["compatible"](t, r.URL, channel.Reach{}).Send(t.Context(), twoAlerts()); err != nil {
		t.Fatal(err)
	}
	var ours map[string]any
	if err := json.Unmarshal(r.all()[0].body, &ours); err != nil {
		t.Fatal(err)
	}
	return ours
}

// sameForm wants the same keys with values of the same kinds.
func sameForm(t *testing.T, theirs, ours map[string]any) {
	t.Helper()
	form := func(m map[string]any) (list []string) {
		for name, value := range m {
			list = append(list, name+" "+kindOf(value))
		}
		slices.Sort(list)
		return list
	}
	if a, b := form(theirs), form(ours); !slices.Equal(a, b) {
		t.Errorf("theirs %q\nours %q", a, b)
	}
	first := func(m map[string]any) map[string]any {
		list, _ := m["alerts"].([]any)
		one, _ := list[0].(map[string]any)
		return one
	}
	if a, b := form(first(theirs)), form(first(ours)); !slices.Equal(a, b) {
		t.Errorf("their alert %q\nours %q", a, b)
	}
	if theirs["version"] != ours["version"] || theirs["status"] != ours["status"] {
		t.Errorf("theirs %v, ours %v", theirs, ours)
	}
}

func kindOf(x any) string {
	switch x.(type) {
	case string:
		return "text"
	case float64:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "block"
	}
	return "other"
}

func alertsOf(t *testing.T, url string) (list []standing) {
	t.Helper()
	answer, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// alertmanager starts a real one that tells a webhook.
func alertmanager(t *testing.T, webhook string) (url string) {
	t.Helper()
	path := need.Command(t, "prometheus-alertmanager")
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	text := "route: {receiver: hook, group_by: [alertname], group_wait: 100ms}\nreceivers: [{name: hook, webhook_configs: [{url: '" + webhook + "'}]}]\n"
	file := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command(path, "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--cluster.listen-address=")
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s", said.String())
		}
	})
	url = "http://" + address
	poll(t, "Alertmanager", func() bool {
		answer, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return url
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("no %s within a minute", what)
		}
	}
}
