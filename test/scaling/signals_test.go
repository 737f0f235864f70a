package scaling_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// TestMain also plays the function whose health answer is the content of a file.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "health-of" {
		serveHealth(os.Args[2], os.Args[3])
	}
	os.Exit(m.Run())
}

func serveHealth(file, port string) {
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		text, err := os.ReadFile(file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text) // the check sees when it is cut off
	})
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:"+port, nil))
	os.Exit(1)
}

// backlog is what a function says of itself.
type backlog struct {
	t    *testing.T
	file string
}

func (b *backlog) says(text string) {
	b.t.Helper()
	next := b.file + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(next, b.file); err != nil {
		b.t.Fatal(err)
	}
}

const queueConfiguration = `
log: {access: off}
functions:
  work:
    routes: [{path: /}]
    health: {path: /health, interval: 200ms}
    scaling:
      enabled: true
      max_instances: 4
      signals: {queue: {health_json: jobs.waiting, combine: max}}
      targets: {queue: 10, in_flight: 100}
      down: {hold: 3s, rates: [{percent: 100, per: 1s}]}
    platform: {process: {command: [%q, health-of, %q, '{port}']}}
`

// view is what the API says of a function's scaling.
type view struct {
	Latest struct {
		At                     time.Time
		Current, Result, Ready int
		Proposals              []struct {
			Signal  string
			Missing bool
		}
		Constraints []struct{ Rule string }
	}
}

func (v *view) missing(signal string) bool {
	for _, p := range v.Latest.Proposals {
		if p.Signal == signal && p.Missing {
			return true
		}
	}
	return false
}

func (v *view) constrained(rule string) bool {
	for _, c := range v.Latest.Constraints {
		if c.Rule == rule {
			return true
		}
	}
	return false
}

func (v *view) of(p *holdfast.Process) bool {
	*v = view{}
	return p.API("/api/v1/functions/work/scaling", v) == nil
}

func TestInstancesFollowANumberOfTheHealthAnswer(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	b := backlog{t, filepath.Join(t.TempDir(), "health.json")}
	b.says(`{"jobs": {"waiting": 35}}`)
	p := upWith(t, fmt.Sprintf(queueConfiguration, os.Args[0], b.file))
	awaitReady(t, p, 4, 60*time.Second)

	b.says(`{"jobs": {}}`) // nobody knows how many wait, and nothing is in flight
	var v view
	holdfast.Poll(t, 30*time.Second, "a decision without the signal", func() bool { return v.of(p) && v.missing("custom:queue") })
	since := v.Latest.At
	holdfast.Poll(t, 60*time.Second, "the hold to be over", func() bool { return v.of(p) && v.Latest.At.Sub(since) > 6*time.Second })
	if v.Latest.Current != 4 || v.Latest.Result != 4 || !v.constrained("missing") {
		t.Errorf("%+v: want 4 instances, because nobody knows", v.Latest)
	}

	b.says(`{"jobs": {"waiting": 2}}`)
	awaitReady(t, p, 1, 60*time.Second)
	out, err := holdfast.Command(t.Context(), t, "explain", "scaling", "work", "--data-dir", p.Data).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "custom:queue is 2 of 10") {
		t.Errorf("%v\n%s", err, out)
	}
}

// upWith starts Holdfast with a configuration.
func upWith(t *testing.T, text string) *holdfast.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	return p
}
