package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/runs"
	"holdfast/loadtest"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/objective"
	"holdfast/loadtest/schedule"
	"holdfast/loadtest/selfcheck"
)

func TestStagesAreReadOrNamed(t *testing.T) {
	t.Parallel()
	list, open, err := parseStages("30s:100, peak=1m:100-400,1m:300~100/10s,2s:3000!,1m:300-0")
	want := []schedule.Stage{
		{Name: "stage-1", Rate: 100, Duration: 30 * time.Second},
		{Name: "peak", Shape: schedule.Linear, Rate: 400, Duration: time.Minute},
		{Name: "stage-3", Shape: schedule.Sine, Rate: 300, Duration: time.Minute, Amplitude: 100, Period: 10 * time.Second},
		{Name: "stage-4", Shape: schedule.Spike, Rate: 3000, Duration: 2 * time.Second},
		{Name: "stage-5", Shape: schedule.Linear, Rate: 0, Duration: time.Minute},
	}
	if err != nil || !open || !reflect.DeepEqual(list, want) {
		t.Errorf("%+v %v %v", list, open, err)
	}
	if list, open, err := parseStages("5s:20u,5s:20u-40u"); err != nil || open || list[1].Rate != 40 {
		t.Errorf("users: %+v %v %v", list, open, err)
	}
	for text, why := range map[string]string{
		"30s": "DURATION:RATE", "soon:5": "want a duration", "1s:many": "want a number", "1s:10,1s:5-20": "begins where the stage before it ends, at 10",
		"1s:10,1s:5u": "all stages have a rate", "1s:10~20": "amplitude", "1s:10~5/soon": "behind the /", "": "DURATION:RATE", "0s:5": "longer than 0",
	} {
		if _, _, err := parseStages(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", text, err, why)
		}
	}
}

func TestChecksAreReadOrRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]httpload.Check{
		"status 2xx,304":                 {Status: "2xx,304"},
		"header X-Id":                    {Header: "X-Id"},
		"header X-Id matches ^[0-9]":     {Header: "X-Id", Matches: "^[0-9]"},
		"json $.a[0].b equals two words": {JSON: "$.a[0].b", Equals: "two words"},
		"body contains ordered":          {Contains: "ordered"},
	} {
		if got, err := parseCheck(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "status", "colour red", "header", "body", "body has x", "json $.a equals"} {
		if _, err := parseCheck(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestOnlyOwnNetworksArePrivate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "192.168.1.1": true, "172.16.0.1": true, "fd00::1": true, "169.254.0.5": true,
		"8.8.8.8": false, "192.0.2.1": false, "2001:db8::1": false, "172.32.0.1": false,
	} {
		p := place{addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr(text)}}
		if p.private() != want {
			t.Errorf("%s: private is %v", text, !want)
		}
	}
}

func TestABadCertificateIsNamedWithTheWayOut(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	for _, c := range []struct {
		insecure bool
		want     string
	}{{false, "is not good"}, {true, ""}} {
		f := &targetFlags{insecure: c.insecure, timeout: time.Second, given: func(string) bool { return false }}
		made, err := f.target(&global{env: &Environment{}}, srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		err = made.prepare(t.Context(), false, 0)
		switch coded, ok := errors.AsType[*codedError](err); {
		case c.want == "" && err != nil:
			t.Errorf("insecure: %v", err)
		case c.want != "" && (!ok || coded.code != exitUnreachable || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--ca-file")):
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestTheExitCodeSaysWhatMatteredMost(t *testing.T) {
	t.Parallel()
	counts := func(class loadtest.Class) *loadtest.Summary {
		s := &loadtest.Summary{}
		s.Counts[class] = 10
		return s
	}
	o, err := loadtest.ParseObjective("errors<1%")
	if err != nil {
		t.Fatal(err)
	}
	missed := []objective.Outcome{{Objective: o}}
	invalid := selfcheck.Report{Verdict: selfcheck.Invalid}
	for _, c := range []struct {
		name   string
		r      loadtest.Result
		strict bool
		want   int
	}{
		{"good", loadtest.Result{Total: counts(loadtest.OK)}, true, 0},
		{"a doubt is no failure", loadtest.Result{Total: counts(loadtest.OK), Self: invalid}, false, 0},
		{"strict", loadtest.Result{Total: counts(loadtest.OK), Self: invalid, Objectives: missed}, true, exitGenerator},
		{"missed", loadtest.Result{Total: counts(loadtest.OK), Self: invalid, Objectives: missed}, false, exitFailed},
		{"aborted", loadtest.Result{Total: counts(loadtest.OK), Aborted: "errors<1%: 5 %", Interrupted: true}, false, exitFailed},
		{"refused", loadtest.Result{Total: counts(loadtest.Refused)}, false, exitUnreachable},
		{"no ports", loadtest.Result{Total: counts(loadtest.OutOfPorts), Objectives: missed}, false, exitGenerator},
		{"interrupted", loadtest.Result{Total: counts(loadtest.OK), Interrupted: true, Objectives: missed}, false, exitInterrupted},
	} {
		got := 0
		if coded, ok := errors.AsType[*codedError](verdictOf(&target{}, &c.r, c.strict)); ok {
			got = coded.code
		}
		if got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestLimitsFollowFromWhatWasFound(t *testing.T) {
	t.Parallel()
	l := &limited{name: "shop", function: &config.Function{Instances: make([]config.Instance, 2)}}
	look := capacity.Look{
		Step: capacity.Step{Phase: capacity.Confirm, Rate: 200}, Window: capacity.Window{P50: 20 * time.Millisecond, P99: 100 * time.Millisecond},
	}
	found := &capacity.Found{Sustainable: 200, Low: 200, High: 210, Cause: capacity.Latency, Looks: []capacity.Look{look}}
	v := &foundView{}
	l.suggest(found, v)
	want := map[string]float64{
		"functions.shop.concurrency.max_in_flight":                     20, // 200/s x 100 ms
		"functions.shop.retry.budget.min_per_second":                   2,
		"functions.shop.scaling.scale_up_threshold.active_connections": 8, // 0.8 x 20 / 2
	}
	for _, x := range v.Limits {
		if want[x.Path] != x.New {
			t.Errorf("%s: %v", x.Path, x.New)
		}
	}
	if got := strings.Join(l.fragment(v.Limits), "\n"); len(v.Limits) != 3 || !strings.Contains(got, "    retry:\n      budget:\n        min_per_second: 2\n") {
		t.Errorf("%d limits\n%s", len(v.Limits), got)
	}
	for name, change := range map[string]func(*capacity.Found){
		"the generator broke": func(f *capacity.Found) { f.Cause = capacity.Generator },
		"nothing broke":       func(f *capacity.Found) { f.High = 0 },
		"nothing held":        func(f *capacity.Found) { f.Sustainable = 0 },
	} {
		other, v := *found, &foundView{}
		change(&other)
		l.why = ""
		if l.suggest(&other, v); len(v.Limits) > 0 || l.why == "" {
			t.Errorf("%s: limits %v all the same", name, v.Limits)
		}
	}
}

func TestALoadLasts(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (&place{scheme: "http", host: "127.0.0.1", port: "1"}).reach(ctx, nil); err == nil {
		t.Error("reached after the end")
	}
	c := loadtest.Config{Warmup: time.Second, Stages: []schedule.Stage{{Rate: 5, Duration: time.Second}, {Rate: 9, Duration: time.Minute}}, Open: true}
	if runs.Length(&c) != 62*time.Second || runs.Peak(&c) != 9 {
		t.Errorf("%v, up to %v", runs.Length(&c), runs.Peak(&c))
	}
}

// A name whose addresses were private when the load was allowed may lead elsewhere when a connection is made.
func TestConnectionsGoWhereTheLoadWasAllowedTo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ready := func(url string, rate float64, own bool) *target {
		tt := &target{to: anyload.Config{Requests: []anyload.Request{{Request: httpload.Request{Method: "GET", URL: url}}}}}
		if err := tt.guarded(); err != nil {
			t.Fatal(err)
		}
		if err := tt.prepare(t.Context(), own, rate); err != nil {
			t.Fatal(err)
		}
		return tt
	}
	named := ready("http://localhost:"+port, 0, false)
	if named.to.Transport.Dial == nil {
		t.Fatal("nobody looks at where the name leads to")
	}
	c, err := named.to.Transport.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := named.to.Transport.Dial(t.Context(), "tcp", "192.0.2.1:80"); !errors.Is(err, errLedElsewhere) {
		t.Errorf("the name led elsewhere, and the error is %v", err)
	}
	owned := ready("http://localhost:"+port, 0, true)
	if err := owned.guard.look(t.Context(), "tcp4", "192.0.2.1:80", nil); err != nil {
		t.Errorf("the owner is refused: %v", err)
	}
	if literal := ready("http://127.0.0.1:"+port, 0, false); literal.to.Transport.Dial != nil {
		t.Error("an address is looked at, which leads nowhere else")
	}
}
