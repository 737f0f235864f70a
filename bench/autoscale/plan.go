package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/autoscale/simulate"
)

// plan is what is rehearsed.
type plan struct {
	traces string // directory
	half   string
	seeds  int
}

func traceNames() []string { return []string{"app-rps-1m", "machine-rps-1m", "worldcup98-1m"} }

func peaks() []float64 { return []float64{5, 10, 30} }

// world is a function that works on one request of a second at a time, on
// instances that boot for five minutes, decided about every minute.
func world() simulate.World {
	return simulate.World{
		Service: time.Second, Boot: simulate.Boot{Median: 5 * time.Minute}, Drain: 10 * time.Second,
		Tick: time.Minute, Window: time.Minute, Warmup: 24 * time.Hour,
	}
}

// contest is the two lines on a trace with a peak.
type contest struct {
	trace           string
	peak            float64
	reactive, sized []simulate.Result
}

// highest is more than any of the policies ever wants.
const highest = 400

func (p plan) run(show func(string)) ([]contest, error) {
	var list []contest
	for _, name := range traceNames() {
		trace, err := p.read(name)
		if err != nil {
			return nil, err
		}
		for _, peak := range peaks() {
			c, err := p.contest(name, trace, peak)
			if err != nil {
				return nil, err
			}
			list = append(list, c)
			show(fmt.Sprintf("%s with a peak of %g is done", name, peak))
		}
	}
	return list, nil
}

func (p plan) contest(name string, trace *simulate.Trace, peak float64) (contest, error) {
	w := world()
	scaled := trace.Scaled(peak * w.PerInstance() / trace.Peak())
	c := contest{trace: name, peak: peak}
	var err error
	do := func(line []simulate.Contender) []simulate.Result {
		if err != nil {
			return nil
		}
		var r []simulate.Result
		r, err = simulate.Comparison{Contenders: line, Trace: scaled, World: w, Seeds: p.seeds}.Do()
		return r
	}
	c.reactive = do(simulate.ReactiveLine(1, highest, w))
	c.sized = do(simulate.SizedLine(1, highest, w))
	return c, err
}

// read reads the half of a trace.
func (p plan) read(name string) (*simulate.Trace, error) {
	t, err := p.whole(name)
	if err != nil {
		return nil, err
	}
	if p.half == "first" {
		return t.Part(0, 0.5), nil
	}
	return t.Part(0.5, 1), nil
}

func (p plan) whole(name string) (*simulate.Trace, error) {
	f, err := os.Open(filepath.Join(p.traces, name+".csv.gz")) //nolint:gosec // the user names the directory
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return simulate.ReadTrace(name, f)
}
