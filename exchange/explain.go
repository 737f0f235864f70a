package exchange

import (
	"fmt"
	"strings"
	"time"

	"holdfast/balancer"
	"holdfast/retry"
)

// Explain tells the story of a record, one line a decision.
func (r *Record) Explain() []string {
	e := &explainer{r: r}
	e.line("%s %s%s from %s at %s", &r.Method, &r.Host, &r.Path, r.Client, r.Start.Format(time.RFC3339Nano))
	if r.Function == nil {
		e.line("no route matches: answered %d", r.Status)
		return e.lines
	}
	e.line("route %s -> function %s", describeRoute(r.Route), r.Route.Function.Name())
	e.admission()
	for n := range r.Attempts[:r.N] {
		if n == int(r.Joined) && n > 0 {
			e.handedOver()
		}
		e.attempt(n)
	}
	if r.N == r.Joined && r.Fallback != ReasonNone {
		e.handedOver()
	}
	e.end()
	return e.lines
}

type explainer struct {
	r     *Record
	lines []string
}

func (e *explainer) line(format string, args ...any) {
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}

func describeRoute(r *Route) string {
	path := r.Path
	if path == "" {
		path = "/"
	}
	if len(r.Methods) > 0 {
		path = strings.Join(r.Methods, "|") + " " + path
	}
	return r.Host + path
}

func (e *explainer) admission() {
	r := e.r
	if p := r.Place; p.Limit > 0 {
		what := map[verdict]string{enter: "entered", queue: "queued", refuse: "refused"}[r.Verdict]
		e.line("admission: %d of %d in flight, %d of %d queued: %s", p.InFlight, p.Limit, p.Queued, p.QueueSize, what)
	}
	if r.Queued > 0 {
		e.line("waited %s in the queue", short(r.Queued))
	}
	if r.BreakerAsked && !r.BreakerAllowed {
		e.line("breaker: not let through")
	}
	if r.Waited != ReasonNone && r.Waited != ReasonQueued {
		e.line("waited: %s", r.Waited)
	}
}

func (e *explainer) handedOver() {
	e.line("handed to fallback function %s: %s", e.r.Function.Name(), e.r.Fallback)
}

func (e *explainer) attempt(n int) {
	a := &e.r.Attempts[n]
	if a.Instance == nil {
		e.line("attempt %d: details are no longer kept", n+1)
		return
	}
	e.line("attempt %d at +%s on %s (%s): picked by %s", n+1, short(a.Start), a.Instance.ID(), a.Instance.Endpoint(), describePick(&a.Pick))
	switch {
	case a.Status != 0 && a.Reason == ReasonTruncated:
		e.line("  answered %d after %s, then broke off", a.Status, short(a.Head))
	case a.Status != 0:
		e.line("  answered %d after %s", a.Status, short(a.Head))
	default:
		e.line("  no answer: %s after %s", a.Reason, short(a.Took))
	}
	if a.Kind != retry.OK && a.Kind != retry.Canceled {
		e.line("  %s", describeDecision(a.Decision))
	}
}

func describePick(p *balancer.Pick) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, rule %s, %d available", p.Strategy, p.Rule, p.Available)
	if p.Panic {
		b.WriteString(", PANIC: health ignored")
	}
	if p.N > 1 {
		b.WriteString("; looked at")
		for _, c := range p.Considered[:p.N] {
			fmt.Fprintf(&b, " %s=%.4g", c.Instance.ID(), c.Cost)
		}
	}
	return b.String()
}

func describeDecision(d retry.Decision) string {
	switch {
	case !d.Retry:
		return "not tried again: " + d.Reason.String()
	case d.After > 0:
		return fmt.Sprintf("tried again after %s: %s", short(d.After), d.Reason)
	default:
		return "tried again at once: " + d.Reason.String()
	}
}

func (e *explainer) end() {
	r := e.r
	who := "instance's answer"
	switch {
	case r.Reason == ReasonClientGone:
		who = "client gone"
	case r.Local:
		who = "answered by holdfast: " + r.Reason.String()
	case r.Reason == ReasonTruncated:
		who = "answer broke off"
	}
	e.line("result: %d in %s (%s), %d bytes, whole exchange %s", r.Status, short(r.Head), who, r.Bytes, short(r.Took))
}

func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}
