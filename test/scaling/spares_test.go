package scaling_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// spareBoot is how long an instance of the function warm takes before it
// listens.
const spareBoot = 3 * time.Second

const warm = `
log: {access: off}
functions:
  warm:
    routes: [{path: /api/warm/}]
    health: {interval: 1s}
    scaling:
      enabled: true
      min_instances: 0
      max_instances: 3
      cooldown_period: 0s
      scale_up_threshold: {cpu_percent: 0, memory_percent: 0, response_time_ms: 0, error_rate_percent: 0, active_connections: 1000}
      scale_down_threshold: {cpu_percent: 0, memory_percent: 0, response_time_ms: 0, active_connections: 2, idle_time_minutes: 0.02}
    platform: {process: {warm_spares: %d, ready_timeout: 60s, command: [sh, -c, 'sleep %g; exec "$0" demo-function --name warm --id "$1" --port "$2"', %q, '{id}', '{port}']}}
`

// spareView is an instance of the function warm.
type spareView struct {
	ID, Status, Reason, Health, Lifecycle string
	Process                               struct {
		PID, Restarts int
		State         string
		Spare         bool
	}
}

func (v *spareView) ready() bool { return v.Process.Spare && v.Health == "up" }

type warmFunction struct {
	*holdfast.Process
	t    *testing.T
	file string
}

func (w *warmFunction) configure(spares int) {
	w.t.Helper()
	text := fmt.Sprintf(warm, spares, spareBoot.Seconds(), holdfast.Binary(w.t))
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *warmFunction) instances() (spares, others []spareView) {
	var v struct{ Instances []spareView }
	if err := w.API("/api/v1/instances?function=warm", &v); err != nil {
		w.t.Fatal(err)
	}
	for _, i := range v.Instances {
		if i.Process.Spare {
			spares = append(spares, i)
		} else {
			others = append(others, i)
		}
	}
	return spares, others
}

// atRest waits until there is nothing but one spare that is ready.
func (w *warmFunction) atRest() (spare spareView) {
	w.t.Helper()
	holdfast.Poll(w.t, 2*time.Minute, "nothing but a ready spare", func() bool {
		spares, others := w.instances()
		if len(spares) != 1 || len(others) != 0 || !spares[0].ready() {
			return false
		}
		spare = spares[0]
		var scaling struct{ Latest *decision }
		return w.API("/api/v1/functions/warm/scaling", &scaling) == nil && scaling.Latest != nil && scaling.Latest.Current == 0
	})
	return spare
}

func (w *warmFunction) told(args ...string) string {
	w.t.Helper()
	out, err := holdfast.Command(w.t.Context(), w.t, append(args, "--data-dir", w.Data)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// A spare answers what comes from zero at once; another one is started behind it,
// and it comes back when it is killed. It is counted nowhere.
func TestAWarmSpareAnswersFromZeroAtOnce(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	w := &warmFunction{t: t, file: filepath.Join(t.TempDir(), "holdfast.yaml")}
	w.configure(1)
	w.Process = holdfast.Up(t, "-c", w.file)
	spare := w.atRest()
	if spare.Status != "inactive" || spare.Lifecycle != "spare" || spare.Reason != "warm spare" {
		t.Errorf("the spare is told as %+v", spare)
	}
	w.countedNowhere(spare.ID)
	w.wakes(spare)
	killed := w.atRest()
	if err := syscall.Kill(killed.Process.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	holdfast.Poll(t, time.Minute, "the spare is back", func() bool {
		spares, _ := w.instances()
		return len(spares) == 1 && spares[0].ID == killed.ID && spares[0].Process.Restarts > 0 && spares[0].ready()
	})
	w.configure(0)
	if err := w.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	holdfast.Poll(t, time.Minute, "the spare is gone", func() bool { spares, _ := w.instances(); return len(spares) == 0 })
}

// wakes sends requests to the sleeping function, which its spare answers.
func (w *warmFunction) wakes(spare spareView) {
	w.t.Helper()
	res, err := http.Get(w.Gateway + "/api/warm/")
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var by struct {
		Instance string
		PID      int
	}
	if err := json.NewDecoder(res.Body).Decode(&by); err != nil || by.Instance != spare.ID || by.PID != spare.Process.PID {
		w.t.Errorf("answered by %+v, want the spare %+v: %v", by, spare, err)
	}
	for _, a := range ask(w.t, w.Gateway+"/api/warm/", 20) {
		if a.err != nil || a.status != http.StatusOK {
			w.t.Errorf("%+v", a)
		}
	}
	cold := res.Header.Get("X-Holdfast-Cold-Start")
	if cold == "" {
		w.t.Error("the answer does not say that it was held")
	}
	w.t.Logf("the first answer from zero after %s ms, a start takes %s", cold, spareBoot)
	holdfast.Poll(w.t, time.Minute, "another spare is ready", func() bool {
		spares, _ := w.instances()
		// Not by its id: on a busy machine the function may have slept and woken again in between, and ids come again.
		return len(spares) == 1 && spares[0].Process.PID != spare.Process.PID && spares[0].ready()
	})
	var v struct {
		Functions []struct {
			Platform struct {
				BootMS float64 `json:"boot_ms"`
				Spares struct {
					Wanted, Ready int
					BootMS        float64 `json:"boot_ms"`
				} `json:"warm_spares"`
			}
		}
	}
	if err := w.API("/api/v1/status", &v); err != nil || len(v.Functions) != 1 {
		w.t.Fatalf("%+v: %v", v, err)
	}
	p := v.Functions[0].Platform
	if p.Spares.Wanted != 1 || p.Spares.BootMS <= 0 || p.BootMS < float64(spareBoot.Milliseconds()) || p.Spares.BootMS >= p.BootMS {
		w.t.Errorf("boot times: %+v", p)
	}
	if text := w.told("explain", "scaling", "warm"); !strings.Contains(text, "warm spares are ready and become instances at once, lately within") {
		w.t.Errorf("explain scaling:\n%s", text)
	}
}

// countedNowhere looks at a function that has a spare and no instance.
func (w *warmFunction) countedNowhere(id string) {
	w.t.Helper()
	var v struct {
		Functions []struct {
			AtZero    bool `json:"at_zero"`
			Instances struct{ Total, Inactive, Spare int }
			Platform  struct{ Desired int }
		}
		Problems []string
	}
	if err := w.API("/api/v1/status", &v); err != nil || len(v.Functions) != 1 {
		w.t.Fatalf("%+v: %v", v, err)
	}
	if f := v.Functions[0]; !f.AtZero || f.Instances.Total != 0 || f.Instances.Inactive != 0 || f.Instances.Spare != 1 || f.Platform.Desired != 0 || len(v.Problems) != 0 {
		w.t.Errorf("status: %+v", v)
	}
	var scaling struct{ Latest decision }
	if err := w.API("/api/v1/functions/warm/scaling", &scaling); err != nil || scaling.Latest.Ready != 0 || scaling.Latest.Current != 0 {
		w.t.Errorf("scaling: %+v %v", scaling, err)
	}
	for want, args := range map[string][]string{"0/0 +1": {"status"}, "warm spare, running": {"explain", "instance", id}, "inactive": {"instances"}} {
		if text := w.told(args...); !strings.Contains(text, want) {
			w.t.Errorf("%v says no %q:\n%s", args, want, text)
		}
	}
}
