//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
	"holdfast/test/need"
)

// TestMain lets the test binary be the WebSocket backend and the relay that a run starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == peer.EchoVerb || os.Args[1] == peer.RelayVerb) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestARunComparesHoldfastWithHAProxy(t *testing.T) { //nolint:paralleltest // it measures
	for _, program := range []string{"haproxy", "nginx", "wrk"} {
		need.Command(t, program)
	}
	var out, diagnostics bytes.Buffer
	args := []string{"-proxies", "haproxy,holdfast", "-cases", "get,websocket,added", "-rounds", "1", "-time", "1s", "-connections", "8", "-o", "json"}
	if err := run(t.Context(), args, &out, &diagnostics); err != nil {
		t.Fatal(err, diagnostics.String())
	}
	r, err := report.Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String()) // the ratio; nothing is asserted about time
	for _, name := range []string{report.Get, report.WebSocket, report.Added} {
		proxies := []string{report.Reference, report.Ours}
		if name == report.Added {
			proxies = append(proxies, report.Direct, report.Relay)
		}
		for _, proxy := range proxies {
			result := r.Find(name, 0, proxy)
			if result == nil || len(result.Rounds) != 1 || result.Rounds[0].Rate <= 0 || result.Rounds[0].P50 <= 0 {
				t.Errorf("%s, %s: %+v", name, proxy, result)
			}
		}
	}
}

func TestAPlanIsCheckedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-proxies", "haproxy,squid"},
		{"-cases", "get,put"},
		{"-rounds", "0"},
		{"-time", "1ms"},
		{"-time", "1500ms"},
		{"-threads", "8", "-connections", "4"},
		{"-o", "xml"},
		{"-unknown"},
	} {
		if _, err := readPlan(args, new(bytes.Buffer)); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestAProxyThatIsMissingMakesARunFail(t *testing.T) {
	t.Parallel()
	r := &report.Run{Results: []*report.Result{{Case: report.TLS, Proxy: "holdfast", Missing: "it ended"}}}
	if err := missing(r); !errors.Is(err, errMissing) || !strings.Contains(err.Error(), "tls, holdfast: it ended") {
		t.Error(err)
	}
	r.Results[0].Missing = ""
	if err := missing(r); err != nil {
		t.Error(err)
	}
}

func TestTheLineOfOurScriptIsRead(t *testing.T) {
	t.Parallel()
	s, n, err := readWrk("Running 2s test\n\nresult 92871 2000000 0 1240 5100 11000\nTransfer/sec:     29.47MB\n")
	want := report.Sample{Rate: 46435.5, P50: 1240, P99: 5100, P999: 11000}
	if err != nil || n != 92871 || s != want {
		t.Fatal(s, n, err)
	}
}

func TestAFailedRequestMakesAReportWorthless(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]error{
		"result 92871 2001000 1 1240 5100 11000\n":                   errFailed,
		"result 0 2001000 0 0 0 0\n":                                 errWrk,
		"result 99999999999999999999 2001000 0 1240 5100 11000\n":    errWrk,
		"unable to connect to 127.0.0.1:8080 Connection refused\n\n": errWrk,
	} {
		if _, _, err := readWrk(out); !errors.Is(err, want) {
			t.Errorf("%q: %v", out, err)
		}
	}
}

func TestAScriptAsksForWhatTheCaseWants(t *testing.T) {
	t.Parallel()
	several := (&wrk{paths: []string{"/a/", "/b/"}}).script()
	if !strings.Contains(several, `ipairs({"/a/", "/b/"})`) || !strings.Contains(several, "function request()") {
		t.Error(several)
	}
	one := (&wrk{paths: []string{"/"}, post: 100, fresh: true}).script()
	if strings.Contains(one, "function request()") || !strings.Contains(one, `string.rep("x", 100)`) || !strings.Contains(one, `"Connection"] = "close"`) {
		t.Error(one)
	}
}

func TestEveryCaseCanBeArranged(t *testing.T) {
	t.Parallel()
	for _, name := range shortCases() {
		if err := oneOf("-cases", []string{name}, report.Cases()); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{report.Instances, report.Functions, report.Connections} {
		points, err := pointsOf(name)
		if err != nil || len(points) < 3 {
			t.Errorf("%s: %v %v", name, points, err)
		}
	}
}
