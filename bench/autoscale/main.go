package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "autoscale:", err)
		os.Exit(1) //nolint:forbidigo // it is a program
	}
}

func run() error {
	p := plan{}
	write := flag.Bool("write", false, "write docs/autoscaling.md and its pictures")
	docs := flag.String("docs", "docs", "directory of the page")
	flag.StringVar(&p.traces, "traces", "autoscale/simulate/testdata", "directory of the traces")
	flag.StringVar(&p.half, "half", "second", "half of the traces: first is for tuning, second for reporting")
	flag.IntVar(&p.seeds, "seeds", 5, "runs of each policy")
	flag.Parse()
	if p.half != "first" && p.half != "second" || p.seeds < 1 {
		return fmt.Errorf("-half %s -seeds %d: want first or second, and at least 1", p.half, p.seeds)
	}
	f := &findings{seeds: p.seeds, half: p.half}
	var err error
	if f.published, err = p.publishedPoints(); err != nil {
		return err
	}
	if f.fortnight, err = p.fortnight(); err != nil {
		return err
	}
	if f.contests, err = p.run(func(line string) { fmt.Fprintln(os.Stderr, line) }); err != nil {
		return err
	}
	if *write {
		return f.write(*docs)
	}
	_, err = fmt.Fprint(os.Stdout, f.markdown())
	return err
}

// findings is what a run of the program found.
type findings struct {
	seeds     int
	half      string
	published []point
	fortnight took
	contests  []contest
}

// point is a published one, as it came out here.
type point struct {
	trace                          string
	percent                        float64
	publishedRatio, publishedUnder float64
	ratio, under                   float64
}

// publishedPoints are those of the fluid model: an even flow, no queue.
func (p plan) publishedPoints() ([]point, error) {
	list := []point{
		{trace: "app-rps-1m", percent: 70, publishedRatio: 1.43, publishedUnder: 0.61},
		{trace: "app-rps-1m", percent: 50, publishedRatio: 2.00, publishedUnder: 0.021},
		{trace: "machine-rps-1m", percent: 70, publishedRatio: 1.47, publishedUnder: 0.23},
		{trace: "worldcup98-1m", percent: 70, publishedRatio: 1.31, publishedUnder: 0.068},
	}
	w := world()
	w.ArrivalVariation, w.Queue, w.Drain = -1, -1, 0
	for i := range list {
		trace, err := p.whole(list[i].trace)
		if err != nil {
			return nil, err
		}
		policy := simulate.Reactive(list[i].percent, 1, highest, w)
		policy.Up.Rates = []autoscale.Rate{{Percent: 10_000, Per: time.Second}} // a decision a minute is slow enough
		policy.Down.Rates = policy.Up.Rates
		policy.Down.Hold = 5*time.Minute - time.Second // five decisions
		o, err := simulate.Run{Policy: policy, Trace: trace.Scaled(30 * w.PerInstance() / trace.Peak()), World: w}.Do()
		if err != nil {
			return nil, err
		}
		list[i].ratio, list[i].under = o.Ratio, o.TauUnder
	}
	return list, nil
}

// took is how long 14 days of one-minute steps take to rehearse.
type took struct {
	steps     int
	instances float64
	wall      time.Duration
}

// fortnight rehearses the capacity model on 14 days, with decisions every 15 s:
// the fastest of five.
func (p plan) fortnight() (took, error) {
	trace, err := p.whole("machine-rps-1m")
	if err != nil {
		return took{}, err
	}
	var w simulate.World
	trace = trace.Scaled(10 * w.PerInstance() / trace.Peak())
	w.Discrete = simulate.DiscreteFor(trace, w, 2_000_000)
	best := took{steps: len(trace.Counts)}
	for i := range 5 {
		begin := time.Now()
		o, err := simulate.Run{Policy: simulate.Sized(0.05, 1, highest, w), Trace: trace, World: w, Seed: uint64(i + 1)}.Do()
		if err != nil {
			return took{}, err
		}
		best.instances = o.Most
		if wall := time.Since(begin); best.wall == 0 || wall < best.wall {
			best.wall = wall
		}
	}
	return best, nil
}

// about says on what and how it was measured.
func (f *findings) about() string {
	return fmt.Sprintf("14 days of one-minute steps (%d) with decisions every 15 s and at most %.0f instances took %.2f s in one thread, the fastest of five, on %s/%s.\n"+
		"The figures above are of the %s halves of the traces with %d seeds.",
		f.fortnight.steps, f.fortnight.instances, f.fortnight.wall.Seconds(), runtime.GOOS, runtime.GOARCH, f.half, f.seeds)
}
