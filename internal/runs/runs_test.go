package runs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/runs"
)

func TestARunEndsAsItsChildSays(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir())
	for path, want := range map[string]struct {
		state  runs.State
		reason string
	}{
		"/":     {runs.Passed, ""},
		"/miss": {runs.Failed, "an objective was missed"},
		"/skip": {runs.SkippedHere, "not here"},
		"/err":  {runs.Unjudged, "it cannot be done"},
		"/die":  {runs.Crashed, "exited with code 3"},
	} {
		r := b.start(t, runs.Spec{Kind: runs.Load, Path: path, Rate: 1})
		r = b.until(t, r.ID, over)
		if r.State != want.state || !strings.Contains(r.Reason, want.reason) || r.By != "tester" || r.Function != "public" {
			t.Errorf("%s: %+v", path, r)
		}
		if _, err := b.Report(r.ID); (err == nil) != (path == "/") {
			t.Errorf("%s: its report: %v", path, err)
		}
		line, err := b.Line(r.ID)
		if err != nil {
			t.Fatal(err)
		}
		list, missed, ended := line.Since(0)
		figures := slices.IndexFunc(list, func(m runs.Moment) bool { return m.Kind == runs.Figures })
		if figures < 0 || list[figures].Second.OK != 7 || list[figures].Second.Gateway.Available != 2 || missed != 0 || !ended {
			t.Errorf("%s: its moments: %+v", path, list)
		}
		if last := list[len(list)-1]; last.Kind != runs.Changed || last.Text != string(want.state) {
			t.Errorf("%s: its last moment: %+v", path, last)
		}
	}
	ended, under := b.Totals()
	if ended[runs.Ended{Kind: runs.Load, State: runs.Crashed}] != 1 || under[runs.Load] != 0 || len(b.List()) != 5 {
		t.Errorf("ended %v, under way %v", ended, under)
	}
}

func TestADrillIsTakenBackHoweverItEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, dir)
	for _, path := range []string{"/", "/die", "/err"} {
		r := b.start(t, runs.Spec{Kind: runs.Drill, Path: path, Experiment: "hang"})
		r = b.until(t, r.ID, over)
		select {
		case where := <-b.back:
			if where != filepath.Join(dir, "drill", "public") {
				t.Errorf("%s: taken back in %s", path, where)
			}
		default:
			t.Errorf("%s: it ended and nothing was taken back", path)
		}
		line, err := b.Line(r.ID)
		if err != nil {
			t.Fatal(err)
		}
		list, _, _ := line.Since(0)
		open := 0
		for _, m := range list {
			switch m.Kind {
			case runs.FaultOn:
				open++
			case runs.FaultOff:
				open--
			}
		}
		if open != 0 || path == "/die" && !slices.ContainsFunc(list, func(m runs.Moment) bool { return m.Kind == runs.FaultOff }) {
			t.Errorf("%s: %d faults are left in its timeline: %+v", path, open, list)
		}
	}
}

func TestARunSaysThatItIsNotAllTakenBack(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir())
	b.stuck.Store(true)
	for path, want := range map[string]string{
		"/":    "not all that it did is taken back: it is stuck; that too",
		"/err": "it cannot be done; not all that it did is taken back: it is stuck; that too",
	} {
		r := b.start(t, runs.Spec{Kind: runs.Drill, Path: path, Experiment: "hang"})
		if r = b.until(t, r.ID, over); r.Reason != want {
			t.Errorf("%s: %q, want %q", path, r.Reason, want)
		}
	}
	r := b.start(t, runs.Spec{Kind: runs.Drill, Path: "/die", Experiment: "hang"})
	b.until(t, r.ID, over)
	line, err := b.Line(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	list, _, _ := line.Since(0)
	has := func(kind string) bool {
		return slices.ContainsFunc(list, func(m runs.Moment) bool { return m.Kind == kind })
	}
	if !has(runs.FaultOn) || has(runs.FaultOff) {
		t.Errorf("a fault that is not taken back: %+v", list)
	}
}

func TestARunIsStopped(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir())
	r := b.start(t, runs.Spec{Kind: runs.Load, Path: "/wait", Rate: 1})
	p, err := b.Prepare(runs.Spec{Kind: runs.Load, Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(p, "another"); err == nil || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("a second run at the same time: %v", err)
	}
	b.until(t, r.ID, func(r runs.Run) bool { return r.State == runs.Running && r.Latest != nil })
	if _, err := b.Stop(r.ID); err != nil {
		t.Fatal(err)
	}
	if r = b.until(t, r.ID, over); r.State != runs.Cancelled || !r.Report {
		t.Errorf("stopped: %+v", r)
	}
	if _, err := b.Stop(r.ID); err == nil {
		t.Error("it was stopped twice")
	}
	if _, err := b.Stop("nobody"); err == nil {
		t.Error("a run that is not there was stopped")
	}
}

func TestRunsEndWithTheirOwnerAndAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, dir)
	r := b.start(t, runs.Spec{Kind: runs.Load, Path: "/wait", Rate: 1, Body: "secret"})
	b.until(t, r.ID, func(r runs.Run) bool { return r.Latest != nil })
	b.end()
	if r, _ = b.Get(r.ID); r.State != runs.Cancelled {
		t.Errorf("after the end: %+v", r)
	}
	p, err := b.Prepare(runs.Spec{Kind: runs.Load, Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Start(p, "tester"); err == nil {
		t.Error("a run was started after the end")
	}
	files, err := filepath.Glob(filepath.Join(dir, "runs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if text, err := os.ReadFile(name); err != nil || strings.Contains(string(text), "secret") {
			t.Errorf("%s holds the body: %v", name, err)
		}
	}
	again := open(t, dir)
	if list := again.List(); len(list) != 1 || list[0].State != runs.Cancelled || !list[0].Report {
		t.Errorf("kept: %+v", list)
	}
}

// left is the file of a run that was under way when its Holdfast was killed.
func left(t *testing.T, dir, id, kind string) {
	t.Helper()
	text := `{"run":{"id":"` + id + `","kind":"` + kind + `","function_name":"public","state":"running","begun":"2026-11-22T05:00:00Z"},` +
		`"moments":[{"seq":1,"at":"2026-11-22T05:00:00Z","kind":"fault","text":"freeze one"}]}`
	if err := os.MkdirAll(filepath.Join(dir, "runs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "runs", id+".json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAKilledHoldfastLeftIsTakenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const id = "20261122-050000-00000001"
	left(t, dir, id, runs.Drill)
	if err := os.WriteFile(filepath.Join(dir, "runs", "20261122-050000-00000002.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	if r := b.until(t, id, over); r.State != runs.Crashed || r.Reason == "" {
		t.Errorf("it is %+v", r)
	}
	select {
	case <-b.back:
	case <-time.After(patience):
		t.Error("nothing was taken back")
	}
	line, err := b.Line(id)
	if err != nil {
		t.Fatal(err)
	}
	if list, _, _ := line.Since(1); len(list) != 2 || list[0].Kind != runs.FaultOff || list[1].Text != string(runs.Crashed) {
		t.Errorf("its moments: %+v", list)
	}
	if len(b.List()) != 1 {
		t.Errorf("a damaged file is shown: %+v", b.List())
	}
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const ids = "20261122-050000-000001"
	for i := range 100 {
		left(t, dir, ids+string([]byte{'0' + byte(i/10), '0' + byte(i%10)}), runs.Load)
	}
	b := open(t, dir)
	r := b.start(t, runs.Spec{Kind: runs.Load, Rate: 1})
	b.until(t, r.ID, over)
	for deadline := time.Now().Add(patience); ; {
		files, err := filepath.Glob(filepath.Join(dir, "runs", "*[0-9a-f].json"))
		if err != nil {
			t.Fatal(err)
		}
		if list := b.List(); len(list) == 100 && list[0].ID == r.ID && len(files) == 100 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d runs, %d files", len(b.List()), len(files))
		}
		<-time.After(10 * time.Millisecond)
	}
	if _, err := b.Get(ids + "00"); err == nil {
		t.Error("the oldest is still there")
	}
}

func TestTwoDoNotOwnADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	r := first.start(t, runs.Spec{Kind: runs.Load, Path: "/wait", Rate: 1})
	first.until(t, r.ID, func(r runs.Run) bool { return r.State == runs.Running })
	second := open(t, dir)
	if got, err := second.Get(r.ID); err != nil || got.State.Over() {
		t.Errorf("the second sees %+v: %v", got, err)
	}
	if _, err := second.Stop(r.ID); err == nil {
		t.Error("the second stops what is not its own")
	}
	line, err := second.Line(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	wake, leave := line.Subscribe()
	defer leave()
	if list, _, ended := line.Since(0); ended {
		t.Errorf("the second says that it has ended: %+v", list)
	}
	first.end()
	if got := second.until(t, r.ID, over); got.State != runs.Cancelled {
		t.Errorf("the second took %+v over", got)
	}
	list, _, ended := line.Since(0)
	for ; !ended; list, _, ended = line.Since(0) {
		select {
		case <-wake:
		case <-time.After(patience):
			t.Fatalf("whoever follows it at the second hears of no end: %+v", list)
		}
	}
	if last := list[len(list)-1]; last.Kind != runs.Changed || last.Text != string(runs.Cancelled) {
		t.Errorf("its last moment at the second is %+v", last)
	}
}
