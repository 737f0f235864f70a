package channel_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/alerting/channel"
)

// worth is a notification that the kind of channel sends.
func worth(c channel.Channel) *channel.Notification {
	if c.Kind() == "heartbeat" {
		return heartbeat()
	}
	return twoAlerts()
}

// Every kind answers the same to the same answers.
func TestWhatAnAnswerMeansIsTheSameForAllKinds(t *testing.T) {
	t.Parallel()
	for kind, newChannel := range kinds() {
		for _, tt := range []struct {
			status  int
			header  map[string]string
			body    string
			refused bool
			later   time.Duration
			says    string
		}{
			{status: 400, body: "invalid_payload", refused: true, says: "answers 400: invalid_payload"},
			{status: 403, body: "no_service\r\nSet-Cookie: x", refused: true, says: "403: no_service  Set-Cookie: x"},
			{status: 404, refused: true, says: "answers 404"},
			{status: 408},
			{status: 429},
			{status: 429, header: map[string]string{"Retry-After": "30"}, later: 30 * time.Second},
			{status: 429, header: map[string]string{"Retry-After": "99999999999"}, later: time.Hour},
			{status: 429, header: map[string]string{"Retry-After": "-1"}},
			{status: 429, header: map[string]string{"Retry-After": "soon"}},
			{status: 500, body: "oh no", says: "answers 500: oh no"},
			{status: 503, header: map[string]string{"Retry-After": "0"}, says: "503"},
			{status: 503, header: map[string]string{"Retry-After": time.Now().Add(2 * time.Hour).UTC().Format(http.TimeFormat)}, later: time.Hour},
			{status: 302, header: map[string]string{"Location": "https://elsewhere.example/hunter2hunter2"}, refused: true, says: "https://elsewhere.example"},
			{status: 308, refused: true, says: "redirect"},
			{status: 400, body: "your token hunter2hunter2 and hunter3hunter3 are wrong", refused: true, says: "***"},
			{status: 500, body: strings.Repeat("x", 1<<20), says: "…"},
		} {
			t.Run(fmt.Sprintf("%s-%d-%v", kind, tt.status, tt.header), func(t *testing.T) {
				t.Parallel()
				r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
					for name, value := range tt.header {
						w.Header().Set(name, value)
					}
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				})
				c := newChannel(t, r.URL, channel.Reach{})
				err := c.Send(t.Context(), worth(c))
				if err == nil || errors.Is(err, channel.ErrRefused) != tt.refused || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("%v", err)
				}
				var after time.Duration
				if later, ok := errors.AsType[*channel.Later](err); ok {
					after = later.After
				}
				if after != tt.later {
					t.Errorf("asked again after %v, want %v", after, tt.later)
				}
				silent(t, err, kind)
			})
		}
	}
}

// silent wants an error that tells no secret, and is short and one line.
func silent(t *testing.T, err error, kind string) {
	t.Helper()
	text := err.Error()
	if strings.Contains(text, "hunter2hunter2") || strings.Contains(text, "hunter3hunter3") && (kind == "webhook" || kind == "alertmanager") {
		t.Errorf("a secret shows: %v", err)
	}
	if strings.ContainsAny(text, "\r\n") || len(text) > 1500 {
		t.Errorf("%d bytes, or more than a line: %q", len(text), text)
	}
}

func TestAReceiverThatIsNotThereIsTriedAgain(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	garbage := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1024))
		_, _ = io.WriteString(c, "220 hunter2hunter2 this is no HTTP\r\n")
	})
	secured := httptest.NewUnstartedServer(nil)
	secured.Config.ErrorLog = nil
	secured.StartTLS()
	t.Cleanup(secured.Close)
	for kind, newChannel := range kinds() {
		for _, url := range []string{gone.URL, "http://" + garbage, "https://" + garbage, secured.URL, "http://name.invalid"} {
			c := newChannel(t, url, channel.Reach{Timeout: 5 * time.Second})
			err := c.Send(t.Context(), worth(c))
			if err == nil || errors.Is(err, channel.ErrRefused) {
				t.Errorf("%s at %s: %v", kind, url, err)
				continue
			}
			silent(t, err, kind)
		}
	}
}

func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestAReceiverThatSaysNothingCostsTheDeadline(t *testing.T) {
	t.Parallel()
	for kind, newChannel := range kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			r := newReceiver(t, func(_ http.ResponseWriter, q *http.Request) {
				select {
				case <-stop:
				case <-q.Context().Done():
				}
			})
			defer close(stop)
			c := newChannel(t, r.URL, channel.Reach{Timeout: 50 * time.Millisecond})
			err := c.Send(t.Context(), worth(c))
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, channel.ErrRefused) || !strings.Contains(err.Error(), "no answer within 50ms") {
				t.Errorf("%v", err)
			}
			silent(t, err, kind)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := newChannel(t, r.URL, channel.Reach{}).Send(ctx, worth(c)); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAddressesThatCannotBeAreRefusedWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "hunter2hunter2", "ftp://hunter2hunter2/", "http://", "https://:1/hunter2hunter2", "http://h/hunter2hunter2%zz", "http://h:hunter2hunter2/"} {
		for kind, err := range map[string]error{
			"alertmanager": of(channel.NewAlertmanager(channel.AlertmanagerConfig{Name: "c", URL: url})),
			"slack":        of(channel.NewSlack(channel.SlackConfig{Name: "c", URL: url})),
			"webhook":      of(channel.NewWebhook(channel.WebhookConfig{Name: "c", URL: url})),
			"heartbeat":    of(channel.NewHeartbeat(channel.HeartbeatConfig{Name: "c", URL: url})),
			"pagerduty":    of(channel.NewPagerDuty(channel.PagerDutyConfig{Name: "c", URL: cmpOr(url, "x"), RoutingKey: "hunter2hunter2"})),
			"email":        of(channel.NewEmail(channel.EmailConfig{Name: "c", Server: url, From: "a@example.com", To: []string{"b@example.com"}, Password: "hunter2hunter2"})),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "channel c: ") {
				t.Errorf("%s %q: %v", kind, url, err)
				continue
			}
			silent(t, err, kind)
		}
	}
	for _, secret := range []string{"whsec_", "whsec_hunter2hunter2!"} {
		if err := of(channel.NewWebhook(channel.WebhookConfig{Name: "c", URL: "http://h", Secret: secret})); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if err := of(channel.NewPagerDuty(channel.PagerDutyConfig{Name: "c"})); err == nil {
		t.Error("no routing key was accepted")
	}
}

func of[T any](_ T, err error) error { return err }

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func TestTheProxyOfTheEnvironmentIsAsked(t *testing.T) {
	t.Parallel()
	for kind, newChannel := range kinds() {
		c := newChannel(t, "http://receiver.example", channel.Reach{})
		later, ok := errors.AsType[*channel.Later](c.Send(t.Context(), worth(c)))
		if !ok || later.After != 7*time.Second {
			t.Errorf("%s did not come by the proxy: %v", kind, later)
		}
	}
}

var errGuarded = errors.New("10.0.0.1 may not be reached")

func TestAnAddressFromTheAPIGoesByTheGuardAndByNoProxy(t *testing.T) {
	t.Parallel()
	guard := func(context.Context, string, string) (net.Conn, error) { return nil, errGuarded }
	for kind, newChannel := range kinds() {
		c := newChannel(t, "http://receiver.example", channel.Reach{Dial: guard})
		if err := c.Send(t.Context(), worth(c)); err == nil || !strings.Contains(err.Error(), errGuarded.Error()) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestTheCertificateOfTheReceiverIsChecked(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	for kind, newChannel := range kinds() {
		c := newChannel(t, s.URL, channel.Reach{RootCAs: roots})
		if err := c.Send(t.Context(), worth(c)); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		c = newChannel(t, s.URL, channel.Reach{})
		if err := c.Send(t.Context(), worth(c)); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestOneRefusedEventKeepsNoOtherFromPagerDuty(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	r.answer = func(w http.ResponseWriter, _ *http.Request) {
		if len(r.all()) == 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
	err := kinds()["pagerduty"](t, r.URL, channel.Reach{}).Send(t.Context(), twoAlerts())
	if !errors.Is(err, channel.ErrRefused) || len(r.all()) != 2 {
		t.Errorf("%d events, %v", len(r.all()), err)
	}
	r.forget()
	r.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader([]int{http.StatusBadRequest, http.StatusBadGateway}[min(len(r.all())-1, 1)])
	}
	if err := kinds()["pagerduty"](t, r.URL, channel.Reach{}).Send(t.Context(), twoAlerts()); err == nil || errors.Is(err, channel.ErrRefused) {
		t.Errorf("one that may be taken later is not tried again: %v", err)
	}
}

func TestNumbersThatAreNoneReachNobody(t *testing.T) {
	t.Parallel()
	zero := 0.0
	for kind, newChannel := range kinds() {
		r := newReceiver(t, nil)
		c := newChannel(t, r.URL, channel.Reach{})
		n := worth(c)
		if len(n.Alerts) > 0 {
			n.Alerts[0].Numbers = map[string]float64{"a": zero / zero, "b": 1 / zero, "c": 1}
			n.Alerts[0].Summary = "bad \xff\x00\u202e text\nsecond line"
		}
		if err := c.Send(t.Context(), n); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for _, s := range r.all() {
			if strings.Contains(string(s.body), `\n line`) || strings.Contains(string(s.body), "\u202e") || strings.Contains(string(s.body), "NaN") {
				t.Errorf("%s: %s", kind, s.body)
			}
		}
	}
}
