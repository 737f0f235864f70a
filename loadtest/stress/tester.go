package stress

import (
	"context"
	"errors"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
)

// StressTester runs suites. The zero value needs at least Base.Client.
//
//nolint:revive // the name users know
type StressTester struct {
	// Base says what is asked for and how: client, endpoints, timeouts, spacing,
	// OnPoint. Its load is the suite's.
	Base loadtest.Config
	// Suite is Load.
	Suite Suite
	// Rate is the normal rate, in requests per second; required by all suites but
	// Breakpoint and Quota.
	Rate float64
	// Length is of the whole suite; 0: what is usual. Breakpoint has none.
	Length time.Duration
	// Search bounds Breakpoint; of it Quota takes the rates it begins with and does not exceed.
	Search capacity.SearchConfig
	// Suspect says that a run was limited by the generator, besides what its
	// failures show. May be nil.
	Suspect func(*loadtest.Result) bool
	// OnStep is told of each step of Breakpoint before it runs. May be nil.
	OnStep func(capacity.Step)
	// OnLook is told of each window of Breakpoint and what was made of it. May be
	// nil.
	OnLook func(capacity.Look)
}

// Result is what a suite found.
type Result struct {
	Suite Suite
	// Load is that of the suite; of Breakpoint, that of its last step.
	Load *loadtest.Result
	// Found is what Breakpoint found.
	Found *capacity.Found
	// Quota is the limit that Quota found the target to enforce.
	Quota *capacity.Quota
	// Broke says that the target failed otherwise before it refused anything by a limit, so Quota ended early.
	Broke bool
	// Knee is where goodput bends over the offered rate, in requests per second, by
	// Breakpoint's windows: a heuristic. 0: it does not.
	Knee float64
	// Held is the run that confirmed the sustainable rate; nil: none did.
	Held *loadtest.Result
	// Series has the points of all steps of Breakpoint one behind the other, and Spans says which of them are of which.
	Series []loadtest.Point
	Spans  []Span
	// Interrupted: the context ended before the suite did.
	Interrupted bool
}

// Span is a step of Breakpoint in Result.Series.
type Span struct {
	capacity.Step

	From, To time.Duration
}

// least is how long a point is at least that stands by itself.
const least = time.Second / 2

// append puts a step behind those before it.
func (r *Result) append(step capacity.Step, of *loadtest.Result) {
	begin := time.Duration(0)
	if n := len(r.Spans); n > 0 {
		begin = r.Spans[n-1].To
	}
	end := begin
	for i, p := range of.Series {
		p.At += begin
		end = p.At
		if i > 0 && p.Length < least { // what is left of a second has no rate worth the name
			r.Series[len(r.Series)-1].Join(&p)
			continue
		}
		r.Series = append(r.Series, p)
	}
	r.Spans = append(r.Spans, Span{step, begin, end})
}

// ErrNoRate says that a suite has no rate to be a multiple of.
var ErrNoRate = errors.New("the suite needs a normal rate")

// Run runs the suite. It returns what was found so far when ctx ends.
func (t *StressTester) Run(ctx context.Context) (*Result, error) {
	suite := t.Suite
	if suite == "" {
		suite = Load
	}
	if suite == Breakpoint {
		return t.search(ctx)
	}
	if suite == Quota {
		return t.quota(ctx)
	}
	if t.Rate <= 0 {
		return nil, ErrNoRate
	}
	c := t.Base
	c.Open, c.Rate, c.Stages = true, 0, suite.Stages(t.Rate, t.Length)
	r, err := loadtest.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Result{Suite: suite, Load: r, Interrupted: r.Interrupted}, nil
}

func (t *StressTester) search(ctx context.Context) (*Result, error) {
	s := capacity.NewSearch(t.Search)
	out := &Result{Suite: Breakpoint}
	held := map[float64]*loadtest.Result{} // by rate; at most a few are confirmed
	for {
		step := s.Next()
		if step.Phase == capacity.Done || out.Interrupted {
			break
		}
		if t.OnStep != nil {
			t.OnStep(step)
		}
		r, err := t.step(ctx, s, step)
		if err != nil {
			return nil, err
		}
		out.append(step, r)
		if out.Load = r; ctx.Err() != nil {
			out.Interrupted = true
		} else if step.Phase != capacity.Recover {
			t.observe(s, t.window(step, r))
		}
		looks := s.Result().Looks
		if n := len(looks); step.Phase == capacity.Confirm && n > 0 && looks[n-1].Cause == capacity.Nothing {
			held[step.Rate] = r
		}
	}
	found := s.Result()
	out.Found, out.Held = &found, held[found.Sustainable]
	out.Knee = knee(found.Looks)
	return out, nil
}

func (t *StressTester) observe(s *capacity.Search, w capacity.Window) { //nolint:gocritic // as Observe has it
	s.Observe(w)
	if looks := s.Result().Looks; t.OnLook != nil {
		t.OnLook(looks[len(looks)-1])
	}
}

// step puts the load of a step on. The recovery ends as soon as the service is
// well.
func (t *StressTester) step(whole context.Context, s *capacity.Search, step capacity.Step) (*loadtest.Result, error) {
	ctx, stop := context.WithCancel(whole)
	defer stop()
	c := t.Base
	c.Open, c.Stages, c.RampUp = true, nil, 0
	c.Rate, c.Warmup, c.Duration = step.Rate, step.Discard, step.Length-step.Discard
	if step.Phase != capacity.Recover {
		return loadtest.Run(ctx, c)
	}
	told := c.OnPoint
	var seconds []capacity.Second
	c.OnPoint = func(p loadtest.Point) {
		if told != nil {
			told(p)
		}
		seconds = append(seconds, capacity.Second{Good: p.OK, Failed: p.Failed, P99: p.P99})
		if s.Seconds(seconds) {
			stop()
		}
	}
	r, err := loadtest.Run(ctx, c)
	for err == nil && whole.Err() == nil && s.Next().Phase == capacity.Recover { // the run was shorter than the wait, by a moment
		seconds = append(seconds, capacity.Second{})
		s.Seconds(seconds)
	}
	return r, err
}

// window is what a search wants to know of a run.
func (t *StressTester) window(step capacity.Step, r *loadtest.Result) capacity.Window {
	n := &r.Total.Counts
	w := capacity.Window{
		Rate: step.Rate, Length: step.Length - step.Discard, Good: n[loadtest.OK], Failed: r.Total.Failures(), Limited: n[loadtest.RateLimited],
		Resets: n[loadtest.Refused] + n[loadtest.Unreachable] + n[loadtest.Reset] + n[loadtest.Truncated],
		P50:    r.Total.Response.Quantile(0.5), P99: r.Total.Response.Quantile(0.99),
	}
	var own int64
	for class, count := range n {
		if loadtest.Class(class).Own() {
			own += count
		}
	}
	w.Invalid = own > w.Failed/2 && own > 0 || t.Suspect != nil && t.Suspect(r)
	for i := range r.Series {
		if p := &r.Series[i]; p.At > step.Discard {
			w.InFlight = append(w.InFlight, p.InFlight)
		}
	}
	return w
}

func knee(looks []capacity.Look) float64 {
	var curve []capacity.XY
	for i := range looks {
		if l := &looks[i]; l.Phase == capacity.Doubling || l.Phase == capacity.Bisect || l.Phase == capacity.Overload {
			curve = append(curve, capacity.XY{X: l.Step.Rate, Y: float64(l.Good) / l.Window.Length.Seconds()})
		}
	}
	x, _ := capacity.Knee(curve, false)
	return x
}
