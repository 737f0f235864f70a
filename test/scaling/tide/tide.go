// Package tide shows on the real binary that the instances of a function follow
// demand, whatever platform they are on. The demand is that of `holdfast load`,
// as people run it:
//
//	demand      none ── the first request ── 10/s ── 100/s ── 10/s
//	instances     0             1              1       3        1
//
// Each step is waited for, so that a busy machine makes it longer and not wrong,
// and no request may fail in between.
package tide

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// Scaling is the configuration that the steps above belong to, for requests of
// 200 ms: 2 exchanges are inside at 10/s and 20 at 100/s.
const Scaling = `{enabled: true, min_instances: 0, max_instances: 3, targets: {in_flight: 7}, ` +
	`scale_down_threshold: {idle_time_minutes: 0.05}, down: {hold: 3s}, panic: {for: 3s}}`

const (
	low, more = 10, 90 // requests per second
	most      = 3
	patience  = 3 * time.Minute // for one step, on a busy machine
	answerIn  = 2 * time.Minute // for one request
)

// Run lets the tide come and go. Path is below the gateway, and answered with
// 200 after 200 ms.
func Run(t *testing.T, p *holdfast.Process, function, path string) {
	t.Helper()
	f := &follower{t, p, function, p.Gateway + path, time.Now()}
	f.await(0)
	f.wake()
	few := begin(t, f.url, low)
	f.await(1)
	many := begin(t, f.url, more)
	f.await(most)
	many.end(t)
	f.await(1)
	few.end(t)
	f.told()
}

// follower is a function whose instances are to follow.
type follower struct {
	*testing.T

	p         *holdfast.Process
	name, url string
	began     time.Time
}

// await waits until so many instances are wanted and there, and all are ready.
func (f *follower) await(n int) {
	f.Helper()
	type decision struct{ Current, Result, Ready int }
	holdfast.Poll(f, patience, fmt.Sprintf("%s at %d instances", f.name, n), func() bool {
		var v struct{ Latest *decision }
		var present struct{ Instances []struct{ Status string } }
		return f.p.API("/api/v1/functions/"+f.name+"/scaling", &v) == nil && v.Latest != nil && *v.Latest == decision{n, n, n} &&
			f.p.API("/api/v1/instances?function="+f.name, &present) == nil && len(present.Instances) == n
	})
	f.Logf("%d instances after %s", n, time.Since(f.began).Round(100*time.Millisecond))
}

// wake sends the first request, which waits for an instance and says for how
// long.
func (f *follower) wake() {
	f.Helper()
	began := time.Now()
	r, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: answerIn}).Get(f.url)
	if err != nil {
		f.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	took := time.Since(began)
	if err != nil || r.StatusCode != http.StatusOK {
		f.Fatalf("the first request: %s %v\n%s", r.Status, err, text)
	}
	ms, err := strconv.Atoi(r.Header.Get("X-Holdfast-Cold-Start"))
	if err != nil || ms < 1 || ms > int(took.Milliseconds()) {
		f.Errorf("it was answered after %s and waited for %q ms of these: %v", took, r.Header.Get("X-Holdfast-Cold-Start"), err)
	}
	f.Logf("the first request was answered after %s, %d ms of which it waited for an instance", took.Round(time.Millisecond), ms)
}

// told: the cold start and each step are where people look.
func (f *follower) told() {
	f.Helper()
	out, err := holdfast.Command(f.Context(), f, "explain", "scaling", f.name, "--data-dir", f.p.Data).CombinedOutput()
	if err != nil {
		f.Errorf("explain: %v\n%s", err, out)
	}
	for _, want := range []string{"1 -> 0, zero", "cold start", "0 -> 1, zero", "-> 3, ", "3 -> ", "-> 1, target"} {
		if !strings.Contains(string(out), want) {
			f.Errorf("%q is missing in\n%s", want, out)
		}
	}
	r, err := http.Get(f.p.Admin + "/metrics")
	if err != nil {
		f.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if want := fmt.Sprintf("holdfast_cold_start_seconds_count{function=%q}", f.name); err != nil || !strings.Contains(string(text), want) {
		f.Errorf("no %s in the metrics: %v", want, err)
	}
}
