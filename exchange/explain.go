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
	e.line("%s %s%s%s at %s", &r.Method, &r.Host, &r.Path, e.client(), r.Start.Format(time.RFC3339Nano))
	if r.Function == nil {
		e.line("no route matches: answered %d", r.Status)
		return e.lines
	}
	e.line("route %s -> function %s", r.Route, r.Route.Function.Name())
	for k := range r.Visits[:r.V] {
		e.visit(k)
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

func (e *explainer) client() string {
	if !e.r.Client.IsValid() {
		return ""
	}
	return " from " + e.r.Client.String()
}

// visit tells what one function did with the exchange.
func (e *explainer) visit(k int) {
	v := &e.r.Visits[k]
	e.gates(v)
	next := int(e.r.N)
	if k+1 < int(e.r.V) {
		next = int(e.r.Visits[k+1].First)
	}
	for n := int(v.First); n < next; n++ {
		e.attempt(n)
	}
	if v.Left != ReasonNone {
		e.line("%s: handed to fallback function %s", v.Left, e.r.Visits[k+1].Function.Name())
	}
}

func (e *explainer) gates(v *Visit) {
	if p := v.Place; p.Limit > 0 {
		e.line("admission: %d of %d in flight, %d of %d queued: %s", p.InFlight, p.Limit, p.Queued, p.QueueSize, v.Verdict)
	}
	if v.Queued > 0 {
		e.line("waited %s in the queue", short(v.Queued))
	}
	if v.BreakerAsked && !v.BreakerAllowed {
		e.line("breaker: not let through")
	}
	if v.Cold > 0 {
		e.line("held %s until an instance had started (cold start)", short(v.Cold))
	} else if v.Waited != ReasonNone {
		e.line("waited: %s", v.Waited)
	}
}

func (e *explainer) attempt(n int) {
	a := &e.r.Attempts[n]
	e.line("attempt %d at +%s on %s (%s): picked by %s", n+1, short(a.Start), a.Instance.ID(), a.Instance.Endpoint(), describePick(&a.Pick))
	switch {
	case a.Status != 0 && a.Reason == ReasonTruncated:
		e.line("  answered %d after %s%s, then broke off", a.Status, short(a.Head), describeUpload(a.Upload))
	case a.Status != 0:
		e.line("  answered %d after %s%s", a.Status, short(a.Head), describeUpload(a.Upload))
	default:
		e.line("  no answer: %s after %s%s", a.Reason, short(a.Took), describeUpload(a.Upload))
	}
	if asked := a.Decision != (retry.Decision{}); asked && a.Kind != retry.OK && a.Kind != retry.Canceled {
		e.line("  %s", describeDecision(a.Decision))
	}
}

// describeUpload tells of the client's part, where it can be seen.
func describeUpload(d time.Duration) string {
	if d < time.Millisecond {
		return ""
	}
	return " (" + short(d) + " of it waiting for the client's body)"
}

func describePick(p *balancer.Pick) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, rule %s, %d available", p.Strategy, p.Rule, p.Available)
	if p.Panic {
		b.WriteString(", PANIC: health ignored")
	}
	if p.N > 1 {
		b.WriteString("; looked at")
		for k := range p.Considered[:p.N] {
			c := &p.Considered[k]
			if c.Skipped {
				fmt.Fprintf(&b, " %s (%s)", c.Instance.ID(), c.Skip)
				continue
			}
			fmt.Fprintf(&b, " %s=%s", c.Instance.ID(), describeCost(p.Strategy, c.Cost))
		}
	}
	return b.String()
}

// describeCost gives expected times as such; see balancer.Candidate.Cost.
func describeCost(s balancer.Strategy, cost float64) string {
	switch s {
	case balancer.P2C, balancer.ResponseTime, balancer.Prequal:
		return short(time.Duration(cost))
	case balancer.LeastConnections, balancer.HealthBased, balancer.RoundRobin, balancer.WeightedRoundRobin,
		balancer.ConsistentHash, balancer.Random:
	}
	return fmt.Sprintf("%.4g", cost)
}

func describeDecision(d retry.Decision) string {
	switch {
	case !d.Retry:
		return "not tried again: " + d.Reason.String()
	case d.After > 0:
		return fmt.Sprintf("%s (%s)", d.Reason, short(d.After))
	default:
		return d.Reason.String() + " at once"
	}
}

func (e *explainer) end() {
	r := e.r
	who := "instance's answer"
	switch {
	case r.Reason.byClient():
		who = r.Reason.String()
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
