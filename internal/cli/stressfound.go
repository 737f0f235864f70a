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
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/stress"
)

// steps prints the windows of a search as they are decided.
type steps struct{ w io.Writer }

func (s *steps) print(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, format+"\n", args...) // nobody is left to tell
}

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
	Target      string       `json:"target"`
	Sustainable float64      `json:"sustainable_rate"`
	Low         float64      `json:"low"`  // good
	High        float64      `json:"high"` // bad; 0: nothing broke it
	Confirmed   bool         `json:"confirmed"`
	Cause       string       `json:"broke_first"`
	Knee        float64      `json:"knee_heuristic,omitempty"`
	Recovered   *float64     `json:"recovered_after_seconds,omitempty"` // negative: not in time
	Interrupted bool         `json:"interrupted,omitempty"`
	Steps       []stepView   `json:"steps"`
	Limits      []suggestion `json:"limits,omitempty"`

	held, overload time.Duration
}

type stepView struct {
	Phase  string  `json:"phase"`
	Rate   float64 `json:"rate"`
	Good   float64 `json:"good_rate"`
	Failed int64   `json:"failed"`
	P50    float64 `json:"p50"`
	P99    float64 `json:"p99"`
	Broke  string  `json:"broke"`
}

func foundOf(t *target, f *stressFlags, r *stress.Result) foundView {
	found := r.Found
	v := foundView{
		Target: t.name, Sustainable: found.Sustainable, Low: found.Low, High: found.High, Confirmed: found.Confirmed,
		Cause: found.Cause.String(), Knee: r.Knee, Interrupted: r.Interrupted, Steps: []stepView{}, held: 6 * f.step, overload: 2 * f.step,
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
		v.Steps = append(v.Steps, stepView{
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

func causeOf(name string) capacity.Cause {
	for cause := range causes() {
		if cause.String() == name {
			return cause
		}
	}
	return capacity.Nothing
}

// rangeView is a value with its 95 % interval.
type rangeView struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// lawView is a fit of the scalability law, as JSON.
type lawView struct {
	Lambda rangeView   `json:"lambda"`
	Sigma  rangeView   `json:"sigma"`
	Kappa  rangeView   `json:"kappa"`
	Peak   *rangeView  `json:"peak_users,omitempty"` // missing: beyond what was tested
	Most   *rangeView  `json:"peak_rate,omitempty"`
	R2     float64     `json:"r2"`
	Tested float64     `json:"tested_users"`
	Points []pointView `json:"points"`
}

type pointView struct {
	Users float64 `json:"users"`
	Rate  float64 `json:"rate"`
}

// scale runs --scalability.
func (f *stressFlags) scale(ctx context.Context, c *cobra.Command, g *global, t *target) error {
	law, points, err := stress.Scalability(ctx, t.load, f.users, f.step)
	switch {
	case ctx.Err() != nil:
		return withCode(exitInterrupted, fmt.Errorf("interrupted after %s; a fit needs all", counted(len(points), "concurrency level")))
	case errors.Is(err, capacity.ErrFewPoints):
		return err
	case err != nil:
		return withCode(exitFailed, err)
	}
	v := lawView{Lambda: rangeView(law.Lambda), Sigma: rangeView(law.Sigma), Kappa: rangeView(law.Kappa), R2: law.R2, Tested: law.Tested}
	if !math.IsNaN(law.Peak.Value) {
		peak, most := rangeView(law.Peak), rangeView(law.Most)
		v.Peak, v.Most = &peak, &most
	}
	for _, p := range points {
		v.Points = append(v.Points, pointView{p.Concurrency, p.Throughput})
	}
	if g.json() {
		return encodeIndented(c.OutOrStdout(), v)
	}
	return v.write(g.screen(c.OutOrStdout()))
}

func (v *lawView) write(s *screen) error {
	t := &table{columns: []column{{name: "USERS", right: true}, {name: "GOOD/S", right: true}}}
	for _, p := range v.Points {
		t.add(text("%.0f", p.Users), text("%s", perSecond(p.Rate)))
	}
	if err := t.write(s); err != nil {
		return err
	}
	interval := func(r rangeView, unit string) string {
		return fmt.Sprintf("%s%s (95 %%: %s to %s)", perSecond(r.Value), unit, perSecond(r.Low), perSecond(r.High))
	}
	lines := []string{
		"", "one user      " + interval(v.Lambda, "/s"),
		"waiting       " + interval(rangeView{100 * v.Sigma.Value, 100 * v.Sigma.Low, 100 * v.Sigma.High}, " %") + " of the work waits for other work",
		"agreeing      " + interval(rangeView{100 * v.Kappa.Value, 100 * v.Kappa.Low, 100 * v.Kappa.High}, " %") + " per pair of users",
		fmt.Sprintf("fit           R2 %.3f", v.R2),
	}
	if v.Peak == nil {
		lines = append(lines, fmt.Sprintf("peak          beyond the %.0f users tested; nothing is said about what lies there", v.Tested))
	} else {
		lines = append(lines, "peak          at "+interval(*v.Peak, " users"), "              "+interval(*v.Most, "/s"))
	}
	return writeLines(s, lines)
}
