package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/cli/live"
	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/report"
	"holdfast/loadtest/stress"
)

// steps prints the windows of a search as they are decided.
type steps struct{ line func(text string) }

// newSteps prints to w; above a view where both are on the terminal, or they would draw over each other.
func newSteps(w io.Writer, above func(text string)) *steps {
	if above != nil && live.Terminal(w) {
		return &steps{line: above}
	}
	return &steps{line: func(text string) { _, _ = io.WriteString(w, text+"\n") }} // nobody is left to tell
}

func (s *steps) print(format string, args ...any) { s.line(fmt.Sprintf(format, args...)) }

func (s *steps) title(t *target, f *stressFlags) {
	s.print("%s", cut(clean(t.name), defaultWidth))
	s.print("the highest rate with p99 up to %v and up to %g %% failed\n", f.p99, f.errors)
	s.print("%-9s%10s%10s%9s%10s%10s  %s", "PHASE", "RATE", "GOOD/S", "FAILED", "P50", "P99", "DECISION")
}

// begin tells of what has no window of its own.
func (s *steps) begin(step capacity.Step) {
	if step.Phase == capacity.Recover {
		s.print("%-9s%10s  until it is well again, %v at most", step.Phase, perSecond(step.Rate), step.Length)
	}
}

func (s *steps) look(l capacity.Look) {
	decision := "good"
	switch {
	case l.Phase == capacity.WarmUp || l.Phase == capacity.Overload:
		decision = "-"
	case l.Cause != capacity.Nothing:
		decision = "bad: " + l.Cause.String()
	}
	failed := 100 * float64(l.Failed) / float64(max(l.Good+l.Failed, 1))
	s.print("%-9s%10s%10s%7.3g %%%10s%10s  %s", l.Phase, perSecond(l.Step.Rate), perSecond(float64(l.Good)/l.Window.Length.Seconds()),
		failed, live.Short(l.P50), live.Short(l.P99), decision)
}

func perSecond(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// foundView is what a search found, as JSON. Times are in milliseconds unless
// their name says otherwise.
type foundView struct {
	Target string `json:"target"`
	report.Search

	Interrupted bool         `json:"interrupted,omitempty"`
	Limits      []suggestion `json:"limits,omitempty"`

	held, overload time.Duration
}

func foundOf(t *target, f *stressFlags, r *stress.Result) foundView {
	found := r.Found
	v := foundView{
		Target: t.name, Interrupted: r.Interrupted, held: 6 * f.step, overload: 2 * f.step,
		Search: report.Search{
			Sustainable: found.Sustainable, Low: found.Low, High: found.High, Confirmed: found.Confirmed, Cause: found.Cause.String(), Knee: r.Knee,
			Steps: []report.Step{},
		},
	}
	if found.Measured {
		seconds := found.Recovered.Seconds()
		if found.Recovered < 0 {
			seconds = -1
		}
		v.Recovered = &seconds
	}
	for i := range found.Looks {
		l := &found.Looks[i]
		v.Steps = append(v.Steps, report.Step{
			Phase: l.Phase.String(), Rate: l.Step.Rate, Good: float64(l.Good) / l.Window.Length.Seconds(), Failed: l.Failed,
			P50: float64(l.P50) / 1e6, P99: float64(l.P99) / 1e6, Broke: l.Cause.String(),
		})
	}
	return v
}

// write says what was found.
func (v *foundView) write(s *screen, limits *limited) error {
	lines := []string{""}
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch {
	case v.Sustainable > 0 && v.High > 0:
		add("sustainable   %s/s, held for %v; it broke at %s/s", perSecond(v.Sustainable), v.held, perSecond(v.High))
	case v.Sustainable > 0:
		add("sustainable   %s/s, held for %v; nothing broke it up to there", perSecond(v.Sustainable), v.held)
	case v.Low > 0:
		add("sustainable   not confirmed; good at %s/s for a moment", perSecond(v.Low))
	case v.best() > 0:
		add("sustainable   no rate was held for %v; up to %s/s was good for %v", v.held, perSecond(v.best()), v.held/6)
	default:
		add("sustainable   none of the rates tried")
	}
	if v.High > 0 {
		add("broke first   %s", causes()[causeOf(v.Cause)])
	}
	if v.Knee > 0 {
		add("knee          about %s/s (where goodput bends: a heuristic)", perSecond(v.Knee))
	}
	switch {
	case v.Recovered == nil:
	case *v.Recovered < 0:
		add("recovery      not well again in time after %v of overload", v.overload)
	default:
		add("recovery      %.0f s after %v of twice that rate", *v.Recovered, v.overload)
	}
	if err := writeLines(s, lines); err != nil || limits == nil {
		return err
	}
	return limits.write(s, v.Limits)
}

// best is the highest rate that looked good, for however short.
func (v *foundView) best() (rate float64) {
	for i := range v.Steps {
		if step := &v.Steps[i]; step.Phase != capacity.WarmUp.String() && step.Broke == capacity.Nothing.String() {
			rate = max(rate, step.Rate)
		}
	}
	return rate
}

func causeOf(name string) capacity.Cause {
	for cause := range causes() {
		if cause.String() == name {
			return cause
		}
	}
	return capacity.Nothing
}

// lawView is a fit of the scalability law, as JSON.
type lawView struct{ report.Law }

// scale runs --scalability.
func (f *stressFlags) scale(ctx context.Context, c *cobra.Command, g *global, t *target) error {
	var law capacity.USL
	var points []capacity.At
	var last *loadtest.Result
	view := live.Config{Title: t.name + ": up to " + counted(f.users, "user"), Quiet: true, Input: g.env.Stdin, Output: c.ErrOrStderr(), Environ: g.env.Environ}
	err := live.Run(ctx, view, func(ctx context.Context, show live.Show) (err error) {
		load := t.load
		load.OnPoint = show.Point
		law, points, last, err = stress.Scalability(ctx, load, f.users, f.step)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return withCode(exitInterrupted, fmt.Errorf("interrupted after %s; a fit needs all", counted(len(points), "concurrency level")))
	case errors.Is(err, capacity.ErrFewPoints):
		return err
	case err != nil:
		return withCode(exitFailed, err)
	}
	v := lawView{report.Law{Lambda: report.Range(law.Lambda), Sigma: report.Range(law.Sigma), Kappa: report.Range(law.Kappa), R2: law.R2, Tested: law.Tested}}
	if !math.IsNaN(law.Peak.Value) {
		peak, most := report.Range(law.Peak), report.Range(law.Most)
		v.Peak, v.Most = &peak, &most
	}
	for _, p := range points {
		v.Points = append(v.Points, report.AtUsers{Users: p.Concurrency, Rate: p.Throughput})
	}
	if err := f.reportScale(t, last, &v.Law); err != nil {
		return err
	}
	if g.json() {
		return encodeIndented(c.OutOrStdout(), v)
	}
	return v.write(g.screen(c.OutOrStdout()))
}

func percent(r report.Range) report.Range {
	return report.Range{Value: 100 * r.Value, Low: 100 * r.Low, High: 100 * r.High}
}

func (v *lawView) write(s *screen) error {
	t := &table{columns: []column{{name: "USERS", right: true}, {name: "GOOD/S", right: true}}}
	for _, p := range v.Points {
		t.add(text("%.0f", p.Users), text("%s", perSecond(p.Rate)))
	}
	if err := t.write(s); err != nil {
		return err
	}
	interval := func(r report.Range, unit string) string {
		return fmt.Sprintf("%s%s (95 %%: %s to %s)", perSecond(r.Value), unit, perSecond(r.Low), perSecond(r.High))
	}
	lines := []string{
		"", "one user      " + interval(v.Lambda, "/s"),
		"waiting       " + interval(percent(v.Sigma), " %") + " of the work waits for other work",
		"agreeing      " + interval(percent(v.Kappa), " %") + " per pair of users",
		fmt.Sprintf("fit           R2 %.3f", v.R2),
	}
	if v.Peak == nil {
		lines = append(lines, fmt.Sprintf("peak          beyond the %.0f users tested; nothing is said about what lies there", v.Tested))
	} else {
		lines = append(lines, "peak          at "+interval(*v.Peak, " users"), "              "+interval(*v.Most, "/s"))
	}
	return writeLines(s, lines)
}
