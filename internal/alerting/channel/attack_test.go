package channel_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/alerting/channel"
)

// A hundred events may need more time than a try has: each try goes on where the
// one before ended.
func TestTriesOfPagerDutyGoOnWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	r.answer = func(w http.ResponseWriter, _ *http.Request) {
		if len(r.all())%31 == 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
	c := kinds()["pagerduty"](t, r.URL, channel.Reach{})
	n := twoAlerts()
	n.Alerts = nil
	for i := range 100 {
		n.Alerts = append(n.Alerts, channel.Alert{ID: fmt.Sprint(i), Fingerprint: fmt.Sprint(i), Severity: channel.Warning, Summary: "x"})
	}
	tries := 1
	for ; c.Send(t.Context(), n) != nil; tries++ {
		if tries == 10 {
			t.Fatal("ten tries do not get there")
		}
	}
	sent := map[string]int{}
	for _, s := range r.all() {
		var e struct {
			Key string `json:"dedup_key"`
		}
		if err := json.Unmarshal(s.body, &e); err != nil {
			t.Fatal(err)
		}
		sent[e.Key]++
	}
	if tries != 4 || len(r.all()) != 103 || len(sent) != 100 {
		t.Errorf("%d tries, %d requests about %d alerts", tries, len(r.all()), len(sent))
	}
	r.forget()
	ended := *n
	ended.ID, ended.Alerts = "n-9", []channel.Alert{n.Alerts[0]}
	ended.Alerts[0].Ended = ended.At
	if err := c.Send(t.Context(), &ended); err != nil || len(r.all()) != 1 {
		t.Errorf("the end: %d requests, %v", len(r.all()), err)
	}
}

// A receiver that repeats what it was sent, in whatever way its language writes
// it down, gets no secret into a log.
func TestAReceiverThatRepeatsTheRequestShowsNoSecret(t *testing.T) {
	t.Parallel()
	const password = "hunter4/hunter4&5"
	secrets := []string{"hunter2", "hunter3", "hunter4", base64.StdEncoding.EncodeToString([]byte("user:" + password))}
	for kind, newChannel := range kinds() {
		r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
			said := map[string]any{"header": q.Header, "url": q.URL.String(), "plain": password}
			text, _ := json.Marshal(said)
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, strings.ReplaceAll(string(text), "/", `\/`))
		})
		c := newChannel(t, strings.Replace(r.URL, "http://", "http://user:hunter4%2Fhunter4%265@", 1), channel.Reach{})
		err := c.Send(t.Context(), worth(c))
		if err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		for _, secret := range secrets {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %q shows in %v", kind, secret, err)
			}
		}
	}
}

// Whoever answers with a redirect to the address of a cloud's secrets gets no
// request sent there, and people read where it wanted to lead.
func TestARedirectToTheMetadataAddressIsNotFollowed(t *testing.T) {
	t.Parallel()
	trap := newReceiver(t, nil)
	for kind, newChannel := range kinds() {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", trap.URL+"/latest/meta-data/iam")
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		c := newChannel(t, r.URL, channel.Reach{})
		if err := c.Send(t.Context(), worth(c)); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(trap.URL, "http://")) || strings.Contains(err.Error(), "meta-data") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if n := len(trap.all()); n != 0 {
		t.Errorf("%d requests were led astray", n)
	}
}

// A receiver that answers without end costs neither memory nor more than a try.
func TestAnAnswerWithoutEndIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500} {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for range 1 << 20 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil {
					return // hung up
				}
			}
			t.Errorf("%d: a GiB was read", status)
		})
		c := kinds()["webhook"](t, r.URL, channel.Reach{Timeout: time.Minute})
		if err := c.Send(t.Context(), worth(c)); (err == nil) != (status == 200) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
