// Package scaling_test shows on the real binary that instances follow the load.
package scaling_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

const configuration = `
log: {access: off}
functions:
  work:
    routes: [{path: /api/work/}]
    scaling:
      enabled: true
      max_instances: 3
      cooldown_period: 1s
      scale_up_threshold: {cpu_percent: 0, memory_percent: 0, response_time_ms: 0, error_rate_percent: 0, active_connections: 5}
      scale_down_threshold: {cpu_percent: 0, memory_percent: 0, response_time_ms: 0, active_connections: 2, idle_time_minutes: 0}
    platform: {process: {command: [%q, demo-function, --name, work, --id, '{id}', --port, '{port}']}}
  still:
    routes: [{path: /api/still/}]
    platform: {process: {command: [%q, demo-function, --name, still, --id, '{id}', --port, '{port}']}}
`

// users send one request after another, each of which takes an instance 300 ms,
// until ctx ends.
func users(ctx context.Context, wg *sync.WaitGroup, n int, url string, asked, failed *atomic.Int64) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				asked.Add(1)
				if res, err := client.Get(url + "/api/work/?slow=300ms"); err != nil {
					failed.Add(1)
				} else {
					if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
						failed.Add(1)
					}
					res.Body.Close()
				}
			}
		})
	}
}

type decision struct {
	Current, Result, Ready int
	Rule                   string
}

func TestInstancesFollowTheLoadAndNoRequestFails(t *testing.T) {
	need.Plain(t)
	p, _ := up(t)
	var asked, failed atomic.Int64
	var wg sync.WaitGroup
	few, leave := context.WithCancel(t.Context())
	many, rest := context.WithCancel(few)
	users(few, &wg, 1, p.Gateway, &asked, &failed)
	users(many, &wg, 17, p.Gateway, &asked, &failed)
	awaitReady(t, p, 3, 60*time.Second)
	rest()
	awaitReady(t, p, 1, 60*time.Second)
	leave()
	wg.Wait()

	if failed.Load() > 0 || asked.Load() < 50 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	explained(t, p)
	logged(t, p)
	rests(t, p)
}

func TestTheNumberOfInstancesOutlivesARestart(t *testing.T) {
	need.Plain(t)
	p, file := up(t)
	var asked, failed atomic.Int64
	var wg sync.WaitGroup
	busy, leave := context.WithCancel(t.Context())
	users(busy, &wg, 9, p.Gateway, &asked, &failed) // two instances have 4.5 each
	awaitReady(t, p, 2, 60*time.Second)
	// Nobody rests before it has ended: it would follow that load, too.
	if err := p.Stop(time.Minute); err != nil {
		t.Fatal(err)
	}
	leave()
	wg.Wait()
	p = p.Again(t, "-c", file)
	p.Ready(t, 20*time.Second)
	var v struct{ Instances []struct{ ID string } }
	if err := p.API("/api/v1/instances?function=work", &v); err != nil || len(v.Instances) != 2 {
		t.Errorf("it begins with %d instances, want 2: %v", len(v.Instances), err)
	}
}

// up starts Holdfast and returns it and its configuration.
func up(t *testing.T) (*holdfast.Process, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf(configuration, holdfast.Binary(t), holdfast.Binary(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	return p, file
}

// awaitReady waits until so many instances are there, and all are ready.
func awaitReady(t *testing.T, p *holdfast.Process, n int, limit time.Duration) {
	t.Helper()
	holdfast.Poll(t, limit, fmt.Sprintf("%d instances", n), func() bool {
		var v struct{ Latest decision }
		return p.API("/api/v1/functions/work/scaling", &v) == nil && v.Latest.Ready == n && v.Latest.Current == n
	})
}

// explained: the last decision and the changes are told, and replay.
func explained(t *testing.T, p *holdfast.Process) {
	t.Helper()
	out, err := holdfast.Command(t.Context(), t, "explain", "scaling", "work", "--data-dir", p.Data).CombinedOutput()
	if err != nil {
		t.Errorf("explain: %v\n%s", err, out)
	}
	for _, want := range []string{"active_connections", "1 -> 2, threshold", "2 -> 3, threshold", "3 -> 2, threshold", "2 -> 1, threshold"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	var v struct{ Reproduced bool }
	if err := p.API("/api/v1/explain/scaling/work", &v); err != nil || !v.Reproduced {
		t.Errorf("the decision was not made again: %v, %v", v.Reproduced, err)
	}
}

// logged: each change is a scaling action that succeeded, and in the metrics.
func logged(t *testing.T, p *holdfast.Process) {
	t.Helper()
	type action struct {
		Action  string `json:"action"`
		Success bool   `json:"success"`
		Before  int    `json:"instance_count_before"`
		After   int    `json:"instance_count_after"`
	}
	var v struct{ Actions []action }
	holdfast.Poll(t, 30*time.Second, "all actions logged", func() bool {
		if err := p.API("/api/v1/actions?function=work", &v); err != nil {
			t.Fatal(err)
		}
		return len(v.Actions) >= 4
	})
	for _, a := range v.Actions {
		if !a.Success || a.Action != "scale_up" && a.Action != "scale_down" {
			t.Errorf("%+v", a)
		}
	}
	res, err := http.Get(p.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if want := `holdfast_scaling_decided_instances{function="work"} 1`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("no %s in the metrics: %v", want, err)
	}
}

// rests: nothing is scaled without being asked for.
func rests(t *testing.T, p *holdfast.Process) {
	t.Helper()
	var v struct {
		Rests  string
		Latest *decision
	}
	if err := p.API("/api/v1/functions/still/scaling", &v); err != nil || v.Latest != nil || !strings.Contains(v.Rests, "scaling.enabled is false") {
		t.Errorf("%+v, %v", v, err)
	}
}
