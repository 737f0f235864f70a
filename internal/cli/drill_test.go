package cli

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/drill"
)

func TestWhatIsMissedWeighsMoreThanWhatShowsNothing(t *testing.T) {
	t.Parallel()
	passed, skipped := &drill.Result{Experiment: "a", Passed: true}, &drill.Result{Experiment: "b", Skipped: "no root"}
	missed := &drill.Result{Experiment: "c"}
	invalid := &drill.Result{Experiment: "d", Generator: drill.Generator{Verdict: "INVALID"}}
	control := &drill.Result{Experiment: "e", Control: true}
	for _, test := range []struct {
		results []*drill.Result
		code    int
		want    string
	}{
		{[]*drill.Result{passed, skipped, control}, exitDone, ""},
		{[]*drill.Result{passed, invalid}, exitGenerator, "show nothing: d"},
		{[]*drill.Result{invalid, missed, passed}, exitFailed, "not as expected: c"},
	} {
		err, code := drillsVerdict(test.results), exitDone
		if coded, ok := errors.AsType[*codedError](err); ok {
			code = coded.code
		}
		if code != test.code || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("it ends with %d, %v, want %d, %s", code, err, test.code, test.want)
		}
	}
}

func TestTheReportIsTriedBeforeAnythingIsBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := writable(filepath.Join(dir, "none", "a.json")); err == nil || !strings.Contains(err.Error(), "directory that is there") {
		t.Errorf("a file nowhere: %v", err)
	}
	name := filepath.Join(dir, "a.json")
	if err := writable(name); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("it left a file")
	}
	if err := os.WriteFile(name, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writable(name); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "kept" {
		t.Errorf("it made of a report %q, %v", b, err)
	}
}

func TestTheControlStandsBesideWhatHoldfastDid(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	with := &drill.Result{Experiment: "hang", Figures: map[string]float64{"availability": 1, "p99": 0.079}}
	without := &drill.Result{Experiment: "hang", Control: true, Figures: map[string]float64{"availability": 0.5, "p99": 3.9, "hung": 2}}
	if err := sideBySide(&screen{w: &out}, with, without); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"availability 100% 50%", "p99 79ms 3.9s", "hung - 2"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestOnlyWhatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	status := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	s := &drillServer{client: &client{base: server.URL, http: server.Client()}}
	for _, test := range []struct {
		status        int
		given, undone bool // refused when it is given, when it is taken back
	}{
		{http.StatusNotFound, true, true},
		{http.StatusConflict, true, true},
		{http.StatusForbidden, true, false},
		{http.StatusTooManyRequests, false, false},
		{http.StatusInternalServerError, false, false},
		{http.StatusServiceUnavailable, false, false},
	} {
		status = test.status
		for _, o := range []drill.Order{{Kind: drill.Drain, Instance: "a"}, {Kind: drill.Drain, Instance: "a", Undo: true}} {
			want := o.Undo && test.undone || !o.Undo && test.given
			if err := s.Order(t.Context(), o); err == nil || errors.Is(err, drill.ErrRefused) != want {
				t.Errorf("%d, undo %t: %v, refused should be %t", test.status, o.Undo, err, want)
			}
		}
	}
	// A key of which nobody can say who set it is not touched.
	if err := s.Order(t.Context(), drill.Order{Kind: drill.Set, Path: "health.path", Text: "/x"}); !errors.Is(err, drill.ErrRefused) {
		t.Errorf("set: %v", err)
	}
}

func TestWhoeverInterruptsADrillIsToldWhatIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &drill.Config{Server: newDrillServer(&global{env: &Environment{}, dataDir: t.TempDir()}), Dir: dir}
	if err := interrupted(t.Context(), c); !strings.Contains(err.Error(), "; everything is taken back") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "orders.json"), []byte(`[{"Kind":"drain","Function":"a","Instance":"a-1","Undo":true}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := interrupted(t.Context(), c); !strings.Contains(err.Error(), "not everything is taken back") {
		t.Error(err)
	}
}
