package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/loadtest"
)

// Result is what a drill showed.
type Result struct {
	Experiment string             `json:"experiment"`
	About      string             `json:"about,omitempty"`
	Function   string             `json:"function"`
	Control    bool               `json:"control,omitempty"` // without Holdfast
	Begun      time.Time          `json:"begun"`
	Skipped    string             `json:"skipped,omitempty"` // why it was not done; the rest is empty then
	Passed     bool               `json:"passed"`
	Steady     []Outcome          `json:"steady,omitempty"`
	Expect     []Outcome          `json:"expect,omitempty"`
	Figures    map[string]float64 `json:"figures,omitempty"`      // shares from 0 to 1, times in seconds
	Not        map[string]string  `json:"not_measured,omitempty"` // and why
	Score      *Score             `json:"score,omitempty"`
	Faults     []Fault            `json:"faults,omitempty"`
	Events     []Event            `json:"events,omitempty"` // of the function, from the first injection on
	Residue    *Residue           `json:"residue,omitempty"`
	Requests   Requests           `json:"requests,omitzero"`
	// Generator doubts the load. A drill whose load is INVALID has not passed and has no score: it shows nothing.
	Generator Generator `json:"generator,omitzero"`

	// Load is what the generator measured.
	Load *loadtest.Result `json:"-"`
}

// Requests are the clients' in the fault window, and the POSTs of the whole
// run that were acknowledged.
type Requests struct {
	Planned      int64 `json:"planned"`
	Failed       int64 `json:"failed"`
	NotSent      int64 `json:"not_sent"`
	Acknowledged int   `json:"posts_acknowledged"`
}

// mostEvents is how many events a result has.
const mostEvents = 200

func (r *run) judge(ctx context.Context, l *loadtest.Result, m *moments) (*Result, error) {
	out := &Result{
		Experiment: r.x.Name, About: r.x.About, Function: r.Function, Control: r.Control, Begun: l.Begun, Load: l,
		Figures: map[string]float64{}, Not: map[string]string{}, Faults: r.faults,
		Generator: r.x.doubt(l),
	}
	slices.SortFunc(out.Faults, func(a, b Fault) int { return a.Injected.Compare(b.Injected) })
	for i := range m.events {
		if e := &m.events[i]; e.Function == r.Function && len(out.Events) < mostEvents {
			out.Events = append(out.Events, *e)
		}
	}
	r.felt(out, l)
	if !r.Control {
		r.did(out, m)
	}
	if err := r.booked(ctx, out); err != nil {
		return nil, err
	}
	if r.Control {
		out.Not["score"] = "a control has none: nothing is expected without Holdfast"
		return out, nil
	}
	steady := r.steady(l)
	for i := range r.x.Steady {
		out.Steady = append(out.Steady, r.x.Steady[i].judge(steady, out.Not))
	}
	for i := range r.x.Expect {
		out.Expect = append(out.Expect, r.x.Expect[i].judge(out.Figures, out.Not))
	}
	if out.Invalid() {
		out.Not["score"] = "the generator is the reason: " + strings.Join(out.Generator.Reasons, "; ")
		return out, nil
	}
	out.Score = score(out, r.x)
	ok := func(o Outcome) bool { return o.Met || o.Skipped }
	out.Passed = !slices.ContainsFunc(out.Steady, func(o Outcome) bool { return !ok(o) }) &&
		!slices.ContainsFunc(out.Expect, func(o Outcome) bool { return !ok(o) })
	return out, nil
}

// Invalid says that the generator did not offer the load, so that neither good nor bad figures say anything.
func (r *Result) Invalid() bool { return r.Generator.invalid() }

// window is from the first injection to the last revert; of a surge alone, the
// fault window.
func (r *run) window(f []Fault) (from, to time.Time) {
	from, to = r.begun.Add(r.x.Baseline), r.begun.Add(r.x.Baseline+r.x.Fault)
	if len(f) > 0 && r.x.Load.Surge == 0 {
		from, to = f[0].Injected, f[0].Reverted
		for _, x := range f {
			if x.Reverted.After(to) {
				to = x.Reverted
			}
		}
	}
	return from, to
}

// felt is what clients noticed.
func (r *run) felt(out *Result, l *loadtest.Result) {
	base, broken := l.Stages[0].Summary, l.Stages[1].Summary
	out.Requests = Requests{Planned: broken.Planned(), Failed: broken.Failures(), NotSent: broken.Counts[loadtest.NotSent]}
	keep := func(name string, v float64, ok bool) {
		if ok {
			out.Figures[name] = v
		}
	}
	v, ok := availability(broken)
	keep("availability", v, ok)
	keep("p99", p99(broken).Seconds(), p99(broken) > 0)
	if p99(base) > 0 && p99(broken) > 0 {
		keep("inflation", p99(broken).Seconds()/p99(base).Seconds(), true)
	}
	seconds := goodSeconds(l.Series, near(p99(base), r.x.Load.Slow))
	from, to := r.window(out.Faults)
	v, ok = failover(seconds, from.Sub(l.Begun).Seconds(), to.Sub(l.Begun).Seconds())
	keep("failover", v, ok)
	v, ok = recovered(seconds, to.Sub(l.Begun).Seconds())
	keep("recover", v, ok)
	r.told(out)
}

// told is what the watch saw of requests by themselves. GETs that were not sent count as failed: nobody knows which
// requests they would have been.
func (r *run) told(out *Result) {
	w := r.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if all := w.gets + out.Requests.NotSent; all > 0 {
		out.Figures["gets"] = float64(w.goodGets) / float64(all)
	}
	out.Figures["hung"] = float64(w.hung)
	if w.ledger != nil {
		out.Figures["refusal"] = w.refusal.Seconds()
	} else {
		out.Not["refusal"] = noPosts(r)
	}
	if out.Figures["spoiled"] = float64(w.spoiled); r.unwhole != "" {
		delete(out.Figures, "spoiled")
		out.Not["spoiled"] = r.unwhole
	}
	if r.proxied {
		out.Figures["struck"] = float64(r.struck)
	}
}

// noPosts says why duplicates and the like are not measured.
func noPosts(r *run) string {
	if r.x.Load.Posts == 0 || r.Control {
		return "no POST is sent here"
	}
	return "no ledger: name the file with --ledger, if the function keeps one"
}

func (r *run) steady(l *loadtest.Result) map[string]float64 {
	figures := map[string]float64{}
	if v, ok := availability(l.Stages[0].Summary); ok {
		figures["availability"] = v
	}
	if d := p99(l.Stages[0].Summary); d > 0 {
		figures["p99"] = d.Seconds()
	}
	return figures
}

// did is what Holdfast made of it.
func (r *run) did(out *Result, m *moments) {
	from, to := r.window(out.Faults)
	keep := func(name string, v float64, ok bool) {
		if ok {
			out.Figures[name] = v
		}
	}
	v, ok := firstAfter(out.Events, from, detects)
	keep("detect", v, ok && r.x.breaks())
	v, ok = firstAfter(out.Events, from, func(e *Event) bool { return e.Kind == "breaker" && e.To == "open" })
	keep("open", v, ok)
	if ok {
		v, ok = firstAfter(out.Events, to, func(e *Event) bool { return e.Kind == "breaker" && e.To == "closed" })
		keep("close", v, ok)
	}
	if n := m.end.Exchanges - m.at.Exchanges; m.end.Exchanges > m.at.Exchanges {
		keep("amplification", float64(m.end.Attempts-m.at.Attempts)/float64(n), true)
	}
	v, ok = imbalance(m.before, m.at)
	keep("imbalance", v, ok)
	keep("astray", float64(r.astray), r.drains > 0)
	keep("scaled", float64(r.scaled), true)
	if r.storeT != nil {
		keep("store", *r.storeT, true)
	}
	restarts := 0
	for i := range m.events {
		e := &m.events[i]
		restarts += bit(e.Function == r.Function && e.Kind == "process" && e.To == "starting")
	}
	keep("restarts", float64(restarts), true)
	r.residue(out, m)
}

// booked compares the answers with the ledger.
func (r *run) booked(ctx context.Context, out *Result) error {
	if r.watch.ledger == nil {
		out.Not["duplicates"], out.Not["lost"] = noPosts(r), noPosts(r)
		return nil
	}
	posts, duplicates, lost, err := r.watch.ledger.read(ctx)
	if err != nil {
		return err
	}
	if posts == 0 {
		return fmt.Errorf("not one POST to %s got a good answer: does it keep the ledger %s?", r.LedgerPath, r.Ledger)
	}
	out.Requests.Acknowledged = posts
	out.Figures["duplicates"], out.Figures["lost"] = float64(duplicates), float64(lost)
	return nil
}
