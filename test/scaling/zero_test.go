package scaling_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// boot is how long an instance of the function rare takes before it listens.
const boot = 400 * time.Millisecond

const rarely = `
engine: %s
log: {access: off}
functions:
  rare:
    routes: [{path: /api/rare/}]
    scaling:
      enabled: true
      min_instances: 0
      max_instances: 3
      cooldown_period: 0s
      scale_up_threshold: {cpu_percent: 0, memory_percent: 0, response_time_ms: 0, error_rate_percent: 0, active_connections: 1000}
      scale_down_threshold: {cpu_percent: 0, memory_percent: 0, response_time_ms: 0, active_connections: 2, idle_time_minutes: 0.02}
    platform: {process: {ready_timeout: 60s, command: [sh, -c, 'sleep %g; exec "$0" demo-function --name rare --id "$1" --port "$2"', %q, '{id}', '{port}']}}
  never:
    routes: [{path: /api/never/}]
    wait_for_instance: 100ms
    health: {timeout: 500ms}
    scaling:
      enabled: true
      min_instances: 0
      cooldown_period: 0s
      scale_down_threshold: {idle_time_minutes: 0.02} # and the usual ones, of what an instance that is never ready does not say
    platform: {process: {ready_timeout: 500ms, command: [sleep, '60']}}
`

// From no instance at all, a hundred requests at once are held, one instance is
// started for them, and all get their answer from it.
func TestFromZeroAllRequestsWaitForOneInstance(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	for _, engine := range []string{"http1", "std"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := upRarely(t, engine)
			awaitRest(t, p, "rare")
			began := time.Now()
			burst := ask(t, p.Gateway+"/api/rare/", 100)
			took := time.Since(began)
			var longest int64
			for _, a := range burst {
				if a.err != nil || a.status != http.StatusOK {
					t.Fatalf("%d %v", a.status, a.err)
				}
				longest = max(longest, a.cold)
			}
			if longest < boot.Milliseconds() || longest > took.Milliseconds() {
				t.Errorf("held for %d ms by the answers, an instance needs %s and the client waited %s", longest, boot, took)
			}
			t.Logf("%s: 100 requests from zero answered within %s, held for up to %d ms of which %s are the instance's own", engine, took.Round(time.Millisecond), longest, boot)
			if n := starts(t, p, "rare"); n != 1 {
				t.Errorf("%d instances were started for 100 requests", n)
			}
			if again := ask(t, p.Gateway+"/api/rare/", 1)[0]; again.status != http.StatusOK || again.cold != 0 {
				t.Errorf("the next one: %+v", again)
			}
			coldStartTold(t, p, burst[0].id)
		})
	}
}

// An instance that never gets ready costs those who wait the time it may take,
// and nobody more than one start at a time.
func TestWhereNoInstanceStartsRequestsAreRefusedInTime(t *testing.T) {
	need.Plain(t)
	t.Parallel()
	p := upRarely(t, "http1")
	awaitRest(t, p, "never")
	began := time.Now()
	for _, a := range ask(t, p.Gateway+"/api/never/", 20) {
		if a.status != http.StatusServiceUnavailable || a.retryAfter != "1" {
			t.Errorf("%+v", a)
		}
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > 20*time.Second {
		t.Errorf("refused after %s, an instance may take 1 s", took)
	}
	var v struct{ Latest decision }
	if err := p.API("/api/v1/functions/never/scaling", &v); err != nil || v.Latest.Result > 1 {
		t.Errorf("%d instances of what does not start: %v", v.Latest.Result, err)
	}
	// The time counts from the first of them: nobody is held for so long again.
	began = time.Now()
	if a := ask(t, p.Gateway+"/api/never/", 1)[0]; a.status != http.StatusServiceUnavailable || a.retryAfter == "" {
		t.Errorf("%+v", a)
	}
	t.Logf("one that comes later is refused after %s", time.Since(began).Round(time.Millisecond))
}

// Whoever leaves while held takes nothing with them.
func TestAHeldRequestWhoseClientLeavesIsForgotten(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	for _, engine := range []string{"http1", "std"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := upRarely(t, engine)
			awaitRest(t, p, "never")
			ctx, leave := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Gateway+"/api/never/", nil)
					if err != nil {
						t.Error(err)
						return
					}
					if res, err := http.DefaultClient.Do(req); err == nil {
						res.Body.Close()
					}
				})
			}
			held := func() (n int) {
				var v struct {
					Functions []struct {
						Name    string
						Waiting int
					}
				}
				if err := p.API("/api/v1/functions", &v); err != nil {
					t.Fatal(err)
				}
				for _, f := range v.Functions {
					if f.Name == "never" {
						n = f.Waiting
					}
				}
				return n
			}
			holdfast.Poll(t, 20*time.Second, "held", func() bool { return held() > 0 })
			leave()
			wg.Wait()
			holdfast.Poll(t, 20*time.Second, "forgotten", func() bool { return held() == 0 })
		})
	}
}

func upRarely(t *testing.T, engine string) *holdfast.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf(rarely, engine, boot.Seconds(), holdfast.Binary(t))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return holdfast.Up(t, "-c", file)
}

// awaitRest waits until the scaler has taken the last instance of a function away.
func awaitRest(t *testing.T, p *holdfast.Process, function string) {
	t.Helper()
	holdfast.Poll(t, 60*time.Second, function+" at rest", func() bool {
		var scaling struct{ Latest *decision }
		var v struct{ Instances []struct{ ID string } }
		return p.API("/api/v1/functions/"+function+"/scaling", &scaling) == nil && scaling.Latest != nil && scaling.Latest.Current == 0 &&
			p.API("/api/v1/instances?function="+function, &v) == nil && len(v.Instances) == 0
	})
}

type answer struct {
	status     int
	id         string
	cold       int64 // ms
	retryAfter string
	err        error
}

// ask sends n requests at once and returns their answers.
func ask(t *testing.T, url string, n int) []answer {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	list := make([]answer, n)
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() {
			res, err := client.Get(url)
			if err != nil {
				list[i].err = err
				return
			}
			defer res.Body.Close()
			_, err = io.Copy(io.Discard, res.Body)
			cold, _ := strconv.ParseInt(res.Header.Get("X-Holdfast-Cold-Start"), 10, 64) // missing: it was not held
			list[i] = answer{res.StatusCode, res.Header.Get("X-Request-Id"), cold, res.Header.Get("Retry-After"), err}
		})
	}
	wg.Wait()
	return list
}

// starts is how many instances the scaler asked for.
func starts(t *testing.T, p *holdfast.Process, function string) int {
	t.Helper()
	var v struct{ Earlier []decision }
	if err := p.API("/api/v1/functions/"+function+"/scaling", &v); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range v.Earlier {
		n += max(d.Result-d.Current, 0)
	}
	return n
}

// coldStartTold: the story of the request, that of the function, and the
// metrics have it.
func coldStartTold(t *testing.T, p *holdfast.Process, request string) {
	t.Helper()
	for what, want := range map[string]string{"request": "cold start", "scaling": "cold start"} {
		of := map[string]string{"request": request, "scaling": "rare"}[what]
		holdfast.Poll(t, 20*time.Second, "told by explain "+what, func() bool {
			out, err := holdfast.Command(t.Context(), t, "explain", what, of, "--data-dir", p.Data).CombinedOutput()
			return err == nil && strings.Contains(string(out), want)
		})
	}
	res, err := http.Get(p.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if want := `holdfast_cold_start_seconds_count{function="rare"} 1`; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("no %s in the metrics: %v", want, err)
	}
}
