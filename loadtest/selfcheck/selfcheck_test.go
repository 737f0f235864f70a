package selfcheck_test

import (
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/loadtest/selfcheck"
	"holdfast/test/need"
)

func TestSecondsAreJudged(t *testing.T) {
	t.Parallel()
	fine := selfcheck.Sample{CPU: 0.5, TimerLag: 900 * time.Microsecond, Files: 10, FilesLimit: 1000}
	for name, c := range map[string]struct {
		bad    selfcheck.Sample
		n      int // of 100 seconds
		want   selfcheck.Verdict
		reason string
	}{
		"all fine":              {fine, 100, selfcheck.OK, ""},
		"lag of a slow service": {selfcheck.Sample{TimerLag: 9 * time.Millisecond, ServiceP50: 100 * time.Millisecond}, 50, selfcheck.OK, ""},
		"a few busy":            {selfcheck.Sample{CPU: 0.85}, 5, selfcheck.Suspect, "in 5 of 100 seconds the generator used 80 % of its CPU or more (up to 85 %)"},
		"many busy":             {selfcheck.Sample{CPU: 0.85}, 6, selfcheck.Invalid, "in 6 of 100 seconds the generator used"},
		"late":                  {selfcheck.Sample{TimerLag: 2 * time.Millisecond, ServiceP50: time.Millisecond}, 10, selfcheck.Invalid, "in 10 of 100 seconds requests left late by the generator's fault (p99 up to 2ms)"},
		"late for a quick median, small beside its p99": {selfcheck.Sample{TimerLag: 2 * time.Millisecond, ServiceP50: time.Millisecond, ServiceP99: 100 * time.Millisecond}, 100, selfcheck.Suspect, "in 100 of 100 seconds requests left late"},
		"late, a tenth of its p99":                      {selfcheck.Sample{TimerLag: 10 * time.Millisecond, ServiceP50: time.Millisecond, ServiceP99: 100 * time.Millisecond}, 6, selfcheck.Invalid, "in 6 of 100 seconds requests left late"},
		"late and busy":                                 {selfcheck.Sample{TimerLag: 2 * time.Millisecond, ServiceP50: time.Millisecond, ServiceP99: 100 * time.Millisecond, CPU: 0.9}, 6, selfcheck.Invalid, "its CPU"},
		"stolen":                                        {selfcheck.Sample{Steal: 0.3}, 1, selfcheck.Suspect, "other virtual machines took up to 30 %"},
		"collecting":                                    {selfcheck.Sample{GC: 0.4}, 1, selfcheck.Suspect, "garbage collection took up to 40 %"},
		"short of files":                                {selfcheck.Sample{Files: 950, FilesLimit: 1000}, 1, selfcheck.Suspect, "950 of 1000 files were open: raise ulimit -n"},
		"short of ports":                                {selfcheck.Sample{Ports: 28_000, PortsLimit: 28_232}, 1, selfcheck.Suspect, "28000 of 28232 ports were taken"},
		"nothing is known":                              {selfcheck.Sample{}, 100, selfcheck.OK, ""},
	} {
		var j selfcheck.Judge
		for i := range 100 {
			s := fine
			if i < c.n {
				s = c.bad
			}
			j.Add(&s)
		}
		r := j.Report(0)
		if r.Verdict != c.want || c.reason != "" && !slices.ContainsFunc(r.Reasons, func(s string) bool { return strings.Contains(s, c.reason) }) {
			t.Errorf("%s: %v %q, want %v %q", name, r.Verdict, r.Reasons, c.want, c.reason)
		}
		if c.reason == "" && len(r.Reasons) > 0 {
			t.Errorf("%s: it gives reasons: %q", name, r.Reasons)
		}
		if starved := j.Report(3); starved.Verdict != selfcheck.Invalid || !strings.HasPrefix(starved.Reasons[0], "3 requests were not sent because this machine had no port or file left") {
			t.Errorf("%s: without ports it is %v: %q", name, starved.Verdict, starved.Reasons)
		}
	}
}

func TestTheMeterSeesWhatTheProcessDoes(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	if runtime.GOOS != "linux" {
		t.Skip("the figures come from Linux")
	}
	begun := time.Now()
	m := selfcheck.NewMeter(begun)
	before := m.Read(time.Now())
	var list []net.Listener
	for range 30 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list = append(list, l)
	}
	for sum, end := 0, time.Now().Add(300*time.Millisecond); time.Now().Before(end); {
		sum++
	}
	s := m.Read(time.Now())
	if s.Files < before.Files+30 || s.FilesLimit < s.Files || len(list) != 30 {
		t.Errorf("%d files of %d are open, before it were %d; want 30 more", s.Files, s.FilesLimit, before.Files)
	}
	if s.PortsLimit < 1000 || s.Ports == 0 {
		t.Errorf("%d of %d ports", s.Ports, s.PortsLimit)
	}
	if s.CPU <= 0 || s.CPU > 1.1 { // others may leave it little
		t.Errorf("the process used %v of its CPU while it was busy", s.CPU)
	}
	if s.Length < 300*time.Millisecond || s.Length > time.Since(begun) {
		t.Errorf("a sample is %v long", s.Length)
	}
	if c := selfcheck.Capacity(); c <= 0 || c > float64(runtime.NumCPU()) {
		t.Errorf("a capacity of %v CPUs", c)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	t.Parallel()
	if got := selfcheck.OK.String() + selfcheck.Suspect.String() + selfcheck.Invalid.String(); got != "OKSUSPECTINVALID" {
		t.Error(got)
	}
}
