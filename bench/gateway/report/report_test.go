package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"holdfast/bench/gateway/report"
)

func samples(cpu ...float64) []report.Sample {
	var list []report.Sample
	for _, v := range cpu {
		list = append(list, report.Sample{CPU: v, Rate: 123_456, P50: 123_456, P99: 1_234_567, P999: 1_234_567, Memory: 1234.5, Load: 12, Others: 0.1})
	}
	return list
}

// full is a run that measured everything, with wide figures.
func full() *report.Run {
	r := &report.Run{
		Machine: "a machine", Rounds: 3, Seconds: 2, Connections: 64, Threads: 2,
		Programs: map[string]string{"haproxy": "2.6.12", "nginx": "1.22.1", "caddy": "2.11.2", "holdfast": "16a2fb1"},
	}
	for _, name := range report.Cases() {
		points := []int{0}
		switch name {
		case report.Instances, report.Connections:
			points = []int{1, 10, 100, 10000}
		case report.Functions:
			points = []int{1, 50, 500}
		}
		for _, point := range points {
			for i, proxy := range []string{"haproxy", "nginx", "caddy", "holdfast", "holdfast+log", "holdfast/std"} {
				if point == 0 || proxy == report.Reference || proxy == report.Ours {
					v := float64(i+1) * (100 + float64(point)/100)
					r.Results = append(r.Results, &report.Result{Case: name, Point: point, Proxy: proxy, Rounds: samples(v, v+1, v+2)})
				}
			}
		}
	}
	r.Results = append(r.Results, &report.Result{Case: report.Added, Proxy: report.Direct, Rounds: samples(1, 1, 1)})
	return r
}

func text(t *testing.T, r *report.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTablesFitATerminal(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(text(t, full())) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestRatiosAreTakenWithinRounds(t *testing.T) {
	t.Parallel()
	a, b := &report.Result{Rounds: samples(5, 20, 60)}, &report.Result{Rounds: samples(10, 20, 30)}
	cpu := func(s report.Sample) float64 { return s.CPU }
	if s, ok := report.Ratio(a, b, cpu); !ok || s != (report.Spread{Mid: 1, Low: 0.5, High: 2}) {
		t.Error(s, ok)
	}
	if s, ok := report.Difference(a, b, cpu); !ok || s != (report.Spread{Mid: 0, Low: -5, High: 30}) {
		t.Error(s, ok)
	}
	b.Rounds = b.Rounds[:2] // it failed in the third
	if s, ok := report.Ratio(a, b, cpu); !ok || s.Mid != 0.75 {
		t.Error(s, ok)
	}
	if _, ok := report.Ratio(a, nil, cpu); ok {
		t.Error("a ratio to nothing")
	}
}

func TestASlopeIsTheGrowthPerTenfold(t *testing.T) {
	t.Parallel()
	r := &report.Run{}
	for i, point := range []int{1, 10, 100} {
		r.Results = append(r.Results,
			&report.Result{Case: report.Instances, Point: point, Proxy: report.Reference, Rounds: samples(20+4*float64(i), 30)},
			&report.Result{Case: report.Instances, Point: point, Proxy: report.Ours, Rounds: samples(30+3*float64(i), 30)})
	}
	if s, ok := r.Slope(report.Instances, report.Ours); !ok || math.Abs(s.High-3) > 1e-9 || math.Abs(s.Low) > 1e-9 {
		t.Error(s, ok)
	}
	// The second round of the reference does not grow, so only the first has a ratio.
	if s, ok := r.SlopeRatio(report.Instances); !ok || math.Abs(s.Mid-0.75) > 1e-9 {
		t.Error(s, ok)
	}
}

func TestGoalsAreMetOrMissedByTheirFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ours []float64
		want string
	}{
		{[]float64{19, 19, 19}, "met"},
		{[]float64{20, 20, 20}, "met"},
		{[]float64{21, 21, 21}, "missed"},
		{[]float64{19, 19, 21}, "met?"}, // the rounds disagree
		{[]float64{19, 21, 21}, "missed?"},
	} {
		r := &report.Run{Results: []*report.Result{
			{Case: report.Get, Proxy: report.Reference, Rounds: samples(20, 20, 20)},
			{Case: report.Get, Proxy: report.Ours, Rounds: samples(c.ours...)},
		}}
		found := ""
		for line := range strings.Lines(text(t, r)) {
			if strings.HasPrefix(line, "small GET, CPU by HAProxy's") {
				fields := strings.Fields(line)
				found = fields[len(fields)-1]
			}
		}
		if found != c.want {
			t.Errorf("%v us: %q, want %q", c.ours, found, c.want)
		}
	}
}

func TestANoisyRunShows(t *testing.T) {
	t.Parallel()
	r := full()
	if !strings.Contains(text(t, r), "a busy machine") {
		t.Error(text(t, r))
	}
	for _, result := range r.Results {
		for i := range result.Rounds {
			result.Rounds[i].Others = 0.01
		}
	}
	if !strings.Contains(text(t, r), "a quiet machine") {
		t.Error(text(t, r))
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	t.Parallel()
	r := full()
	r.Results[0].Missing, r.Results[0].Rounds = "it ended", nil
	if got := text(t, r); !strings.Contains(got, "missing: get, haproxy: it ended") {
		t.Error(got)
	}
}

func TestARunSurvivesItsFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := full().Write(&b); err != nil {
		t.Fatal(err)
	}
	r, err := report.Read(&b)
	if err != nil || !reflect.DeepEqual(r, full()) {
		t.Error(r, err)
	}
	if _, err := report.Read(strings.NewReader("[")); err == nil {
		t.Error("half a run is read")
	}
}

func TestThePageKeepsWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "performance.md")
	const head, tail = "# Performance\n\n<!-- measured: written by go run ./bench/gateway -write -->\n", "<!-- measured: end -->\n\n## Hostile clients\n"
	write := func(page string) {
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(head + "stale\n" + tail)
	for range 2 { // the second time over its own text
		if err := full().WriteDocs(dir); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	got := string(page)
	if err != nil || !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) || strings.Contains(got, "stale") || strings.Count(got, "| GET 10 KiB | ") == 0 {
		t.Error(got, err)
	}
	drawn, err := os.ReadFile(filepath.Join(dir, "performance.svg"))
	if err != nil {
		t.Fatal(err)
	}
	isXML(t, drawn)
	write("# Performance\n")
	if err := full().WriteDocs(dir); err == nil {
		t.Error("a page without the marks is written")
	}
}

func isXML(t *testing.T, drawn []byte) {
	t.Helper()
	bars := 0
	for d := xml.NewDecoder(bytes.NewReader(drawn)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if want := 4 + 7*4; bars != want { // the legend, and four in each of seven cases
		t.Errorf("%d bars, want %d", bars, want)
	}
}
