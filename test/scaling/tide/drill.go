package tide

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"holdfast/drill"
	"holdfast/test/holdfast"
)

// Calm is the configuration for Drill: instances may come and go at once, and
// the load of the drill alone is no reason to.
const Calm = `{enabled: true, max_instances: 3, targets: {in_flight: 60}, down: {hold: 1s}}`

// Drill carries `holdfast drill scale` out on a function with one instance and
// Calm. The scaler leaves the instance that is ordered alone until the drill
// takes it back, and goes on then.
func Drill(t *testing.T, p *holdfast.Process, function, path string) {
	t.Helper()
	f := &follower{t, p, function, p.Gateway + path, time.Now()}
	f.await(1)
	cmd := holdfast.Command(t.Context(), t, "drill", "scale", "--function", function, "--path", path,
		"--gateway", p.Gateway, "--data-dir", p.Data, "-o", "json")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, unless the test failed
	holdfast.Poll(t, patience, "scaling paused", func() bool { return strings.Contains(f.orders(), "scaling is paused") })
	err := cmd.Wait()
	var told struct{ Drills []drill.Result }
	if exit, ok := errors.AsType[*exec.ExitError](err); json.Unmarshal(out.Bytes(), &told) != nil || len(told.Drills) != 1 || ok && exit.ExitCode() == 1 {
		t.Fatalf("holdfast drill: %v\n%s%s", err, out.String(), errs.String())
	}
	r := &told.Drills[0]
	if failed := r.Requests.Failed - r.Requests.NotSent; r.Skipped != "" || failed > 0 || r.Requests.Planned == 0 || r.Figures["scaled"] < 1 {
		t.Errorf("%d requests failed, %s, %+v", failed, r.Skipped, r)
	}
	if orders := f.orders(); strings.Contains(orders, "drill") {
		t.Errorf("orders are left: %s", orders)
	}
	f.await(1)
	f.drilled()
}

// orders are what people ordered and still holds.
func (f *follower) orders() string {
	f.Helper()
	var v struct{ Orders []string }
	if err := f.p.API("/api/v1/functions/"+f.name, &v); err != nil {
		f.Fatal(err)
	}
	return strings.Join(v.Orders, "; ")
}

// drilled: one instance came and one went, both by the drill.
func (f *follower) drilled() {
	f.Helper()
	var v struct {
		Actions []struct {
			Reason string `json:"trigger_reason"`
			After  int    `json:"instance_count_after"`
		}
	}
	holdfast.Poll(f, patience, "both actions logged", func() bool {
		if err := f.p.API("/api/v1/actions?function="+f.name, &v); err != nil {
			f.Fatal(err)
		}
		return len(v.Actions) >= 2
	})
	for i, a := range v.Actions { // the latest first
		if len(v.Actions) != 2 || !strings.HasSuffix(a.Reason, "holdfast drill") || a.After != i+1 {
			f.Errorf("action %d of %d: %+v", i, len(v.Actions), a)
		}
	}
}
