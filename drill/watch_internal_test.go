package drill

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/fault/sysfault"
	"holdfast/loadtest"
	"holdfast/loadtest/histogram"
)

func TestTheWatchCountsWhatWasDueInTheFaultWindow(t *testing.T) {
	t.Parallel()
	const getEndpoint = 0
	w := &watch{from: 2 * time.Second, to: 5 * time.Second}
	for _, shot := range []struct {
		endpoint      int
		class         loadtest.Class
		planned, took time.Duration
	}{
		{getEndpoint, loadtest.Reset, time.Second, time.Second}, // before
		{getEndpoint, loadtest.OK, 2 * time.Second, time.Second},
		{getEndpoint, loadtest.CheckFailed, 3 * time.Second, time.Second},
		{getEndpoint, loadtest.Timeout, 4 * time.Second, 10 * time.Second},
		{postEndpoint, loadtest.OK, 4 * time.Second, 3 * time.Second},
		{postEndpoint, loadtest.BadStatus, 4 * time.Second, 2 * time.Second},
		{postEndpoint, loadtest.BadStatus, 4 * time.Second, time.Second},
		{getEndpoint, loadtest.Timeout, 5 * time.Second, time.Second}, // behind
	} {
		w.add(shot.endpoint, shot.class, shot.planned, shot.took)
	}
	if want := (tally{gets: 3, goodGets: 1, hung: 1, spoiled: 1, refusal: 2 * time.Second}); w.tally != want {
		t.Errorf("it counts %+v, want %+v", w.tally, want)
	}
}

// measured is a load of which so much was not sent, and left so late.
func measured(sent, unsent int64, lag time.Duration) *loadtest.Result {
	s := &loadtest.Summary{Response: new(histogram.Histogram), TimerLag: new(histogram.Histogram)}
	s.Counts[loadtest.OK], s.Counts[loadtest.NotSent] = sent, unsent
	for range 100 {
		s.TimerLag.Record(lag)
	}
	return &loadtest.Result{Stages: []loadtest.Stage{{Named: loadtest.Named{Summary: s}}}}
}

func TestTheGeneratorIsDoubtedAsFarAsItMatters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		about        string
		result       *loadtest.Result
		p99          string // that is expected
		want, reason string
	}{
		{"all in time", measured(1000, 0, 100*time.Microsecond), "p99<1s", "OK", ""},
		{"late, but not as seconds see it", measured(1000, 0, 20*time.Millisecond), "p99<1s", "OK", ""},
		{"late for a figure of milliseconds", measured(1000, 0, 20*time.Millisecond), "p99<50ms", "SUSPECT", "more than 5ms may matter"},
		{"later than clients put up with", measured(1000, 0, 300*time.Millisecond), "p99<1s", "SUSPECT", "left up to 300"},
		{"in another second", measured(1000, 0, 1100*time.Millisecond), "p99<1s", "INVALID", "seconds are what is judged"},
		{"one in fifty not sent", measured(980, 20, time.Millisecond), "p99<1s", "OK", ""},
		{"more not sent", measured(979, 21, time.Millisecond), "p99<1s", "INVALID", "only 97.9% of the planned requests"},
	} {
		x, err := ParseExpectation(test.p99)
		if err != nil {
			t.Fatal(err)
		}
		g := (&Experiment{Load: Load{Slow: 250 * time.Millisecond}, Expect: []Expectation{x}}).doubt(test.result)
		if text := strings.Join(g.Reasons, "; "); g.Verdict != test.want || !strings.Contains(text, test.reason) || (text == "") != (test.want == "OK") {
			t.Errorf("%s: %s, %q; want %s, %q", test.about, g.Verdict, text, test.want, test.reason)
		}
	}
}

func TestTheBusiestInstanceIsTheOneThatGotMost(t *testing.T) {
	t.Parallel()
	r := &run{targets: []Instance{{ID: "a"}, {ID: "b"}, {ID: "c"}}}
	state := func(a, b uint64) *State {
		return &State{Instances: []Instance{{ID: "b", Picks: b}, {ID: "a", Picks: a}}}
	}
	for _, test := range []struct {
		before, after *State
		want          string
	}{{state(9, 1), state(10, 5), "b"}, {state(0, 90), state(3, 91), "a"}, {state(1, 1), state(1, 1), "a"}} {
		if got := r.mostPicked(test.before, test.after); len(got) != 1 || got[0].ID != test.want {
			t.Errorf("it is %v, want %s", got, test.want)
		}
	}
	r.Control = true
	if got := r.mostPicked(state(0, 0), state(1, 5)); got[0].ID != "a" {
		t.Errorf("without Holdfast, all goes to the first, and %v is taken", got)
	}
}

func TestWhetherAnswersAreWholeIsToldByWhatTheyAreLike(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			_, _ = fmt.Fprintf(w, `{"n": %d}`, n.Add(1))
		case "/same":
			_, _ = fmt.Fprint(w, "always")
		case "/long":
			_, _ = fmt.Fprint(w, strings.Repeat("x", mostBody+1))
		default:
			_, _ = fmt.Fprint(w, n.Add(1), " times")
		}
	}))
	t.Cleanup(s.Close)
	x, err := Builtin("cut-answers")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/json": "$ ", "/same": " always", "/long": "", "/other": ""} {
		r := &run{x: x}
		checks, err := r.wholeness(t.Context(), s.URL+path)
		got := ""
		if len(checks) == 1 {
			got = checks[0].JSON + " " + checks[0].Equals
		}
		if err != nil || got != want || (r.unwhole == "") != (want != "") {
			t.Errorf("%s is told by %q, %v, unless %q", path, got, err, r.unwhole)
		}
	}
}

func TestAProcessThatHoldfastForgotIsAStray(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	pid := cmd.Process.Pid
	start, ok := sysfault.Started(pid)
	if !ok {
		t.Skip("processes cannot be told apart on this system")
	}
	r := &run{seen: map[int]uint64{pid: start, 1: start + 1}} // another process has the id 1
	if list := r.strays(&State{}); len(list) != 1 || !strings.Contains(list[0], fmt.Sprint(pid)) {
		t.Errorf("strays are %v", list)
	}
	if list := r.strays(&State{Instances: []Instance{{PID: pid}}}); len(list) != 0 {
		t.Errorf("an instance is a stray: %v", list)
	}
}
