package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"holdfast/autoscale"
	"holdfast/exchange"
	"holdfast/internal/control"
	"holdfast/internal/telemetry"
)

// Scaling is how a function is scaled.
type Scaling struct {
	Function string `json:"function_name"`
	// Rests says why it is not scaled; missing: it is.
	Rests string `json:"rests,omitempty"`
	// Mode is what becomes of decisions now.
	Mode *ScalingMode `json:"mode,omitempty"`
	// Schedules are those in force now.
	Schedules []string `json:"schedules,omitempty"`
	// Budget is what was used of it; missing: there is none.
	Budget *ScalingBudget `json:"budget,omitempty"`
	// Signals are those of the configuration.
	Signals []ScalingSignal `json:"signals,omitempty"`
	// Latest is the last decision; missing: none was made yet.
	Latest *ScalingDecision `json:"latest,omitempty"`
	// Earlier are the last decisions that differed from the one before, the oldest
	// first.
	Earlier []ScalingDecision `json:"earlier"`
	// ColdStarts are those since Holdfast started; missing: the function always has
	// instances.
	ColdStarts *ColdStarts `json:"cold_starts,omitempty"`
	// Record is the latest decision with everything it was made of. Made again from
	// its inputs it is the same.
	Record json.RawMessage `json:"record,omitempty"`
}

// ColdStarts are how long requests waited that found no instance.
type ColdStarts struct {
	Count uint64  `json:"count"`
	P50MS float64 `json:"p50_ms" doc:"from the first request that found no instance until one took traffic"`
	P95MS float64 `json:"p95_ms"`
	Held  uint64  `json:"requests_held" doc:"requests that were held until an instance had started"`
}

func coldStartsOf(fn *exchange.Function) *ColdStarts {
	stats := fn.Stats()
	h := stats.ColdStarts.Snapshot()
	if fn.Policy().ColdStart == 0 && h.Count == 0 {
		return nil
	}
	return &ColdStarts{h.Count, ms(h.Quantile(0.5)), ms(h.Quantile(0.95)), stats.Held.Load()}
}

// sentence tells of them.
func (c *ColdStarts) sentence() string {
	if c.Count == 0 {
		return "cold starts: none since Holdfast started"
	}
	return fmt.Sprintf("cold starts: %d since Holdfast started, half of them within %.0f ms and 95 %% within %.0f ms; %d requests were held", c.Count, c.P50MS, c.P95MS, c.Held)
}

// ScalingDecision is a decision about a function's number of instances.
type ScalingDecision struct {
	At       time.Time `json:"at"`
	Current  int       `json:"current" doc:"instances that were asked for before"`
	Ready    int       `json:"ready"`
	Starting int       `json:"starting"`
	Min      int       `json:"min" doc:"bounds in force"`
	Max      int       `json:"max"`
	Wanted   int       `json:"wanted" doc:"what the rules wanted, before anything stood against it"`
	Result   int       `json:"result"`
	// CarriedOut is false for decisions that are for reading only.
	CarriedOut  bool                `json:"carried_out"`
	Rule        string              `json:"rule" doc:"which the result comes from"`
	Reason      string              `json:"reason"`
	Incident    string              `json:"incident,omitempty" doc:"why this looks like an incident rather than load"`
	Proposals   []ScalingProposal   `json:"proposals"`
	Constraints []ScalingConstraint `json:"constraints"`
	// Measured is what it was made of, by signal; what was unknown is missing.
	Measured map[autoscale.Signal]float64 `json:"measured"`
	Inferred []autoscale.Signal           `json:"inferred,omitempty" doc:"signals that nobody measured and that are 0, since nobody asks for anything"`
	Unknown  []autoscale.Signal           `json:"unknown,omitempty" doc:"signals that its rules look at and nobody knew"`
}

// ScalingProposal is what one rule wanted.
type ScalingProposal struct {
	Rule      string  `json:"rule"`
	Signal    string  `json:"signal,omitempty"`
	Instances int     `json:"instances"`
	Value     float64 `json:"value"`
	Limit     float64 `json:"limit"`
	Reason    string  `json:"reason"`
	// Missing: the signal is unknown. Dismissed: why the proposal did not count.
	Missing   bool   `json:"missing,omitempty"`
	Dismissed string `json:"dismissed,omitempty"`
}

// ScalingConstraint is what stood against what was wanted.
type ScalingConstraint struct {
	Rule   string `json:"rule"`
	From   int    `json:"from"`
	To     int    `json:"to"`
	Reason string `json:"reason"`
}

// ScalingExplained says why a function has as many instances as it has.
type ScalingExplained struct {
	Scaling Scaling `json:"scaling"`
	// Reproduced: the rules, run again on what was recorded, decide the same.
	Reproduced bool     `json:"reproduced"`
	Lines      []string `json:"lines"`
}

func decisionOf(d *autoscale.Decision) ScalingDecision {
	v := ScalingDecision{
		At: d.At, Current: d.Current, Ready: d.Ready, Starting: d.Starting, Min: d.Min, Max: d.Max, Wanted: d.Wanted, Result: d.Result,
		CarriedOut: d.Act, Measured: d.Measured(), Inferred: d.Inferred(), Unknown: d.Unknown(),
		Rule: string(d.Rule), Reason: d.Reason, Incident: d.Incident, Proposals: []ScalingProposal{}, Constraints: []ScalingConstraint{},
	}
	for i := range d.Proposals {
		p := &d.Proposals[i]
		v.Proposals = append(v.Proposals, ScalingProposal{
			string(p.Rule), string(p.Signal), p.Instances, p.Value, p.Limit, p.Reason, p.Missing, string(p.Dismissed),
		})
	}
	for _, c := range d.Constraints {
		v.Constraints = append(v.Constraints, ScalingConstraint{string(c.Rule), c.From, c.To, c.Reason})
	}
	return v
}

func (s *Server) scaling(_ context.Context, in *thisFunction) (Scaling, error) {
	v, _, err := s.scalingView(in.Function)
	return v, err
}

// scalingView also returns the latest decision, nil when there is none.
func (s *Server) scalingView(function string) (Scaling, *autoscale.Decision, error) {
	fn, err := s.function(function)
	if err != nil {
		return Scaling{}, nil, err
	}
	if s.config.Scaling == nil {
		return Scaling{}, nil, refuse(http.StatusServiceUnavailable, "", "this Holdfast has no scaler")
	}
	v := Scaling{Function: fn.Name(), Earlier: []ScalingDecision{}, ColdStarts: coldStartsOf(fn)}
	view, decided, rests := s.config.Scaling(fn.Name())
	v.Rests = rests
	if !decided {
		return v, nil, nil
	}
	d := &view.Latest
	latest := decisionOf(d)
	v.Latest = &latest
	v.standing(d, s.sources(fn.Name()), time.Now())
	for i := range view.Earlier {
		v.Earlier = append(v.Earlier, decisionOf(&view.Earlier[i]))
	}
	if v.Record, err = json.Marshal(d); err != nil {
		return v, nil, fmt.Errorf("write decision: %w", err)
	}
	return v, d, nil
}

func (s *Server) explainScaling(_ context.Context, in *thisFunction) (ScalingExplained, error) {
	v, d, err := s.scalingView(in.Function)
	if err != nil {
		return ScalingExplained{}, err
	}
	x := ScalingExplained{Scaling: v, Reproduced: true}
	switch {
	case v.Rests != "":
		x.Lines = []string{"function " + v.Function + " is not scaled: " + v.Rests}
	case d == nil:
		x.Lines = []string{"nothing was decided about function " + v.Function + " yet"}
	default:
		l := &lines{now: time.Now()}
		for _, line := range d.Explain() {
			l.add("%s", line)
		}
		v.standingLines(l)
		if err := d.Replay(); err != nil {
			x.Reproduced = false
			l.add("the rules decide differently now: %s", err)
		}
		if v.ColdStarts != nil {
			l.add("%s", v.ColdStarts.sentence())
		}
		s.heldLines(v.Function, l)
		v.earlierLines(l)
		x.Lines = l.list
	}
	if p := s.platform(v.Function); p != nil {
		if text := p.bootSentence(); text != "" {
			x.Lines = append(x.Lines, "boot: "+text)
		}
		if p.Failure != "" {
			x.Lines = append(x.Lines, p.Failure)
		}
	}
	return x, nil
}

// heldLines tell what people ordered about the scaling of a function.
func (s *Server) heldLines(function string, l *lines) {
	if s.config.Control == nil {
		return
	}
	o := s.config.Control.State().Orders(function)
	only := control.Orders{Hold: o.Hold, Count: o.Count}
	for _, sentence := range only.Sentences() {
		l.add("%s", sentence)
	}
}

// earlierLines tells of the last changes.
func (v *Scaling) earlierLines(l *lines) {
	var changes []ScalingDecision
	for i := range v.Earlier {
		if e := &v.Earlier[i]; e.Result != e.Current {
			changes = append(changes, *e)
		}
	}
	if len(changes) == 0 {
		return
	}
	l.add("last changes:")
	for i := max(len(changes)-explainedEvents, 0); i < len(changes); i++ {
		c := &changes[i]
		l.add("  %s: %d -> %d, %s: %s", l.since(c.At), c.Current, c.Result, c.Rule, c.Reason)
	}
}

// scalingFigures are the latest decisions as metrics show them.
func (s *Server) scalingFigures() []telemetry.Scaling {
	var list []telemetry.Scaling
	for _, fn := range s.config.Gateway.Functions() {
		v, decided, _ := s.config.Scaling(fn.Name())
		if !decided {
			continue
		}
		d := &v.Latest
		x := Scaling{}
		x.standing(d, s.sources(fn.Name()), time.Now())
		figures := telemetry.Scaling{
			Function: fn.Name(), Current: d.Current, Wanted: d.Wanted, Decided: d.Result, Min: d.Min, Max: d.Max, Incident: d.Incident != "",
			Mode: x.Mode.Kind, Left: map[string]float64{}, Signals: map[string]telemetry.ScalingSignal{},
		}
		x.figures(&figures)
		list = append(list, figures)
	}
	return list
}
