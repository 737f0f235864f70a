package channel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/internal/alerting/channel"
)

// A receiver reads the body, checks who signed it and when, and only then looks
// at what it says. Whoever keeps Webhook-Id drops what comes twice.
func ExampleVerify() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = channel.Verify(secret, r.Header, body, time.Now())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Println("signed, and in time:", r.Header.Get("Webhook-Id"))
	}))
	defer receiver.Close()

	n := &channel.Notification{ID: "n-1", At: time.Now(), Test: true}
	for _, key := range []string{secret, "another"} {
		hook, err := channel.NewWebhook(channel.WebhookConfig{Name: "hook", URL: receiver.URL, Secret: key})
		if err == nil {
			err = hook.Send(context.Background(), n)
		}
		fmt.Println(errors.Is(err, channel.ErrRefused))
	}
	// Output:
	// signed, and in time: n-1
	// false
	// true
}

func TestASignatureHoldsForThisBodyThisTimeAndThisKey(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	hook, err := channel.NewWebhook(channel.WebhookConfig{Name: "c", URL: r.URL, Secret: "a key as it is"})
	if err != nil {
		t.Fatal(err)
	}
	if err := hook.Send(t.Context(), twoAlerts()); err != nil {
		t.Fatal(err)
	}
	got, now := r.all()[0], time.Now()
	check := func(change func(h http.Header, body []byte) []byte, secret string, now time.Time) error {
		h := got.header.Clone()
		body := append([]byte{}, got.body...)
		return channel.Verify(secret, h, change(h, body), now)
	}
	same := func(_ http.Header, b []byte) []byte { return b }
	if err := check(same, "a key as it is", now); err != nil {
		t.Errorf("%v", err)
	}
	if err := check(func(h http.Header, b []byte) []byte {
		h.Set("Webhook-Signature", "v1,b2xk "+h.Get("Webhook-Signature"))
		return b
	}, "a key as it is", now); err != nil {
		t.Errorf("a second signature: %v", err)
	}
	for name, err := range map[string]error{
		"another key":  check(same, "another key", now),
		"no key":       check(same, "", now),
		"too late":     check(same, "a key as it is", now.Add(channel.Tolerance+2*time.Second)),
		"too early":    check(same, "a key as it is", now.Add(-channel.Tolerance-2*time.Second)),
		"another body": check(func(_ http.Header, b []byte) []byte { b[10] ^= 1; return b }, "a key as it is", now),
		"another id":   check(func(h http.Header, b []byte) []byte { h.Set("Webhook-Id", "n-2"); return b }, "a key as it is", now),
		"no time":      check(func(h http.Header, b []byte) []byte { h.Del("Webhook-Timestamp"); return b }, "a key as it is", now),
		"another time": check(func(h http.Header, b []byte) []byte { h.Set("Webhook-Timestamp", fmt.Sprint(now.Unix()+1)); return b }, "a key as it is", now),
		"no signature": check(func(h http.Header, b []byte) []byte { h.Del("Webhook-Signature"); return b }, "a key as it is", now),
		"half of it": check(func(h http.Header, b []byte) []byte {
			h.Set("Webhook-Signature", h.Get("Webhook-Signature")[:20])
			return b
		}, "a key as it is", now),
		"without prefix": check(func(h http.Header, b []byte) []byte {
			h.Set("Webhook-Signature", h.Get("Webhook-Signature")[3:])
			return b
		}, "a key as it is", now),
	} {
		if !errors.Is(err, channel.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The vector is the one of the specification of Standard Webhooks.
func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Set("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	h.Set("Webhook-Timestamp", "1614265330")
	h.Set("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	if err := channel.Verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", h, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0)); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatsGoToWebhooksThatWantThem(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{true, false} {
		r := newReceiver(t, nil)
		hook, err := channel.NewWebhook(channel.WebhookConfig{Name: "c", URL: r.URL, Heartbeats: wanted})
		if err != nil {
			t.Fatal(err)
		}
		if err := hook.Send(t.Context(), heartbeat()); err != nil || channel.Wants(hook, heartbeat()) != wanted || (len(r.all()) == 1) != wanted {
			t.Errorf("wanted %v: %d requests, %v", wanted, len(r.all()), err)
		}
	}
}
