//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/test/need"
)

// TestMain lets the test binary be the proxy that a run starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveVerb {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestARunComparesEachEngineWithHAProxy(t *testing.T) { //nolint:paralleltest // it measures
	for _, program := range []string{"haproxy", "nginx", "wrk"} {
		need.Command(t, program)
	}
	names := append([]string{"haproxy"}, engineNames()...)
	var out, diagnostics bytes.Buffer
	args := []string{"-proxies", strings.Join(names, ","), "-rounds", "1", "-time", "1s", "-connections", "8"}
	if err := run(t.Context(), args, &out, &diagnostics); err != nil {
		t.Fatal(err, diagnostics.String())
	}
	t.Log("\n" + out.String()) // the ratio; nothing is asserted about time
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n")[1:] {
		fields := strings.Fields(line)
		if len(fields) != 6 || fields[0] != names[i] {
			t.Fatalf("line %d: %q", i, line)
		}
		for _, f := range fields[1:4] {
			if v, err := strconv.ParseFloat(f, 64); err != nil || v <= 0 {
				t.Errorf("%s: %q is no positive number", fields[0], f)
			}
		}
	}
}

func TestAPlanIsCheckedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-proxies", "haproxy,squid"},
		{"-rounds", "0"},
		{"-time", "1ms"},
		{"-threads", "8", "-connections", "4"},
		{"-size", "0"},
		{"-unknown"},
	} {
		if _, err := readPlan(args, new(bytes.Buffer)); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

const wrkReport = `Running 2s test @ http://127.0.0.1:8080/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.44ms    1.02ms  23.05ms   89.43%
    Req/Sec    23.32k     2.02k   27.57k    72.50%
  Latency Distribution
     50%    1.24ms
     75%    1.77ms
     90%    2.44ms
     99%    1.11s 
  92871 requests in 2.00s, 58.99MB read
Requests/sec:  46394.35
Transfer/sec:     29.47MB
`

func TestTheReportOfWrkIsRead(t *testing.T) {
	t.Parallel()
	m, n, err := readWrk(wrkReport)
	want := measurement{rate: 46394.35, p50: 1240 * time.Microsecond, p99: 1110 * time.Millisecond}
	if err != nil || n != 92871 || m != want {
		t.Fatal(m, n, err)
	}
}

func TestTroubleMakesAReportWorthless(t *testing.T) {
	t.Parallel()
	for _, trouble := range []string{"  Socket errors: connect 0, read 1, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 12\n"} {
		if _, _, err := readWrk(wrkReport + trouble); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(trouble)) {
			t.Errorf("%q: %v", trouble, err)
		}
	}
	if _, _, err := readWrk("nothing"); !errors.Is(err, errWrk) {
		t.Error(err)
	}
}

func TestTheNameOfAProcessDoesNotMoveItsTimes(t *testing.T) {
	t.Parallel()
	const rest = " S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 1"
	for _, name := range []string{"(nginx)", "(a b) c)", "(()"} {
		if d, err := cpuOfStat("42 " + name + rest); err != nil || d != 2*time.Second {
			t.Errorf("%s: %v %v", name, d, err)
		}
	}
	if _, err := cpuOfStat("42 (short) S 1 2"); !errors.Is(err, errStat) {
		t.Error(err)
	}
}

func TestTheTimeOfAProcessGrows(t *testing.T) {
	t.Parallel()
	before, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if after, err := cpuOf(os.Getpid()); err != nil || after > before {
			return
		}
	}
	t.Error("ten busy seconds do not show")
}

func TestMediansAreTakenWithinRounds(t *testing.T) {
	t.Parallel()
	r := results{{{cpu: 10}, {cpu: 20}, {cpu: 30}}, {{cpu: 5}, {cpu: 20}, {cpu: 60}}}
	if got := r.ratio(1, 0); got != 1 {
		t.Errorf("ratio %v, want the median of 0.5, 1 and 2", got)
	}
	var out bytes.Buffer
	if err := r.write(&out, &plan{proxies: []string{"haproxy", "std"}}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(out.String(), "\n"); !strings.HasPrefix(lines[2], "std      20.00           1.00") {
		t.Errorf("%q", lines)
	}
}
