package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/autoscale/simulate"
)

// line is a line of two seeds: hours and a measure for each point.
func line(points ...[2]float64) []simulate.Result {
	var list []simulate.Result
	for _, p := range points {
		var r simulate.Result
		for seed := range 2 {
			f := simulate.Figures{InstanceHours: p[0] + float64(seed), ViolatedTime: p[1]}
			r.Runs = append(r.Runs, &simulate.Outcome{Figures: f})
		}
		r.Mean = simulate.Figures{InstanceHours: p[0] + 0.5, ViolatedTime: p[1]}
		list = append(list, r)
	}
	return list
}

func TestGapsAreOfTheSameSafety(t *testing.T) {
	t.Parallel()
	c := &contest{trace: "t", peak: 5, reactive: line([2]float64{100, 8}, [2]float64{200, 0}), sized: line([2]float64{75, 8}, [2]float64{150, 4}, [2]float64{300, 0}, [2]float64{400, 0})}
	got := c.gaps(simulate.Measures()[0])
	if math.Abs(got[0].mean+25) > 0.5 || math.Abs(got[1].mean) > 0.01 || math.Abs(got[2].mean-50) > 0.5 {
		t.Errorf("gaps %+v, want -25, 0 and 50 %%", got)
	}
	if got[0].high >= 0 || got[1].low > 0 || got[1].high < 0 || got[2].low <= 0 || !got[3].idle {
		t.Errorf("intervals %+v", got)
	}
	below, on, above, safer := count(got)
	if below != 1 || on != 1 || above != 1 || safer != 0 {
		t.Errorf("%d below, %d on, %d above, %d safer, want 1, 1, 1, 0", below, on, above, safer)
	}
	c.sized = line([2]float64{150, -1})
	if got := c.gaps(simulate.Measures()[0]); !got[0].safer {
		t.Errorf("safer than all of the line: %+v", got)
	}
}

func TestThePageIsWrittenBetweenItsMarks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	page := filepath.Join(dir, "autoscaling.md")
	f := &findings{seeds: 2, half: "second", contests: []contest{{
		trace: "t", peak: 5, reactive: line([2]float64{100, 8}, [2]float64{200, 1}), sized: line([2]float64{90, 8}),
	}}}
	if err := f.write(dir); err == nil {
		t.Error("a page that is not there was written")
	}
	if err := os.WriteFile(page, []byte("before\n"+startMark+"\nold\n"+endMark+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.Contains(text, "old") || !strings.HasPrefix(text, "before\n"+startMark) || !strings.HasSuffix(text, endMark+"\nafter\n") {
		t.Errorf("page:\n%s", text)
	}
	if !strings.Contains(text, "By time below the objective 1 points are below the line, 0 on it, 0 safer than all of it, and 0 above it.") {
		t.Errorf("no verdict in\n%s", text)
	}
	picture, err := os.ReadFile(filepath.Join(dir, "autoscaling-t-5.svg"))
	if err != nil || !strings.Contains(string(picture), "<svg") {
		t.Errorf("picture: %v", err)
	}
}

// The page in the repository has the marks, and the pictures it names.
func TestThePageOfTheProjectIsReady(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/autoscaling.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), startMark+"\n")
	measured, _, ended := strings.Cut(rest, endMark)
	if !found || !ended {
		t.Fatal(errMarks)
	}
	for _, part := range strings.Split(measured, "](")[1:] {
		name, _, _ := strings.Cut(part, ")")
		if _, err := os.Stat(filepath.Join("../../docs", name)); err != nil {
			t.Error(err)
		}
	}
}
