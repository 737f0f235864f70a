package autoscale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Inputs are the arguments of a decision, defaults written out.
type Inputs struct {
	Policy  Policy    `json:"policy"`
	State   State     `json:"state"`
	Signals Signals   `json:"signals"`
	Now     time.Time `json:"now"`
}

// Rule names who proposed or constrained something.
type Rule string

// The rules. Those of the first group propose, those of the second constrain.
const (
	ByThreshold Rule = "threshold"
	ByTarget    Rule = "target"
	ByCapacity  Rule = "capacity"
	ByPanic     Rule = "panic"
	ByZero      Rule = "zero"
	ByForecast  Rule = "forecast"

	ByMissing    Rule = "missing"
	ByNeverReady Rule = "never_ready"
	ByIncident   Rule = "incident"
	BySaturation Rule = "saturation"
	ByDeploy     Rule = "deploy"
	ByBooting    Rule = "booting"
	ByHold       Rule = "hold"
	ByRate       Rule = "rate"
	ByCooldown   Rule = "cooldown"
	ByFlapBudget Rule = "flap_budget"
	ByBudget     Rule = "budget"
	ByMode       Rule = "mode"
	ByBounds     Rule = "bounds"
	ByNothing    Rule = "nothing" // there was nothing to change
)

// Proposal is what one rule wants.
type Proposal struct {
	Rule      Rule   `json:"rule"`
	Signal    Signal `json:"signal,omitempty"`
	Instances int    `json:"instances"`
	// Value was measured, Limit is what it was compared with.
	Value float64 `json:"value,omitempty"`
	Limit float64 `json:"limit,omitempty"`
	// Missing: the signal is unknown, and the proposal is to remove nothing.
	Missing bool   `json:"missing,omitempty"`
	Reason  string `json:"reason"`
	// Dismissed names the guard for which it did not count; empty: it did.
	Dismissed Rule `json:"dismissed,omitempty"`
}

// Constraint is what stood against a wish.
type Constraint struct {
	Rule   Rule   `json:"rule"`
	From   int    `json:"from"`
	To     int    `json:"to"`
	Reason string `json:"reason"`
}

// Outlook is what a decision would have been with the forecast's proposal.
type Outlook struct {
	Proposal Forecast `json:"proposal"`
	Result   int      `json:"result"`
}

// Decision is the record of a decision: a plain value that can be written as
// JSON, read back, and made again from its Inputs.
type Decision struct {
	At time.Time `json:"at"`
	// Current is what the platform was told before, Result what the policy
	// says. Act says whether to carry it out: advisory and paused decisions are
	// for reading only.
	Current int  `json:"current"`
	Result  int  `json:"result"`
	Act     bool `json:"act"`
	// Ready and Starting are the instances as they were.
	Ready    int `json:"ready"`
	Starting int `json:"starting"`
	// Min and Max are the bounds in force.
	Min int `json:"min"`
	Max int `json:"max"`

	Proposals []Proposal `json:"proposals,omitempty"`
	// Wanted is the largest proposal, before anything stood against it.
	Wanted      int          `json:"wanted"`
	Constraints []Constraint `json:"constraints,omitempty"`
	// Rule is the one that the result comes from, Reason says it in a sentence.
	Rule   Rule   `json:"rule"`
	Reason string `json:"reason"`
	// Incident says why this looks like an incident rather than load; empty: it
	// does not. Somebody should be told.
	Incident string `json:"incident,omitempty"`
	// Forecast is what the forecast would have changed; nil: there was none.
	Forecast *Outlook `json:"forecast,omitempty"`

	// Next is the State for the next decision.
	Next   State  `json:"next"`
	Inputs Inputs `json:"inputs"`
}

// Target returns how many instances to run: the Result if it is to be carried
// out, else what there is.
func (d *Decision) Target() int {
	if d.Act {
		return d.Result
	}
	return d.Current
}

// Same says whether two decisions say the same for the same reasons, whatever
// was measured meanwhile: nobody needs a record of both.
func (d *Decision) Same(o *Decision) bool {
	return d.Current == o.Current && d.Result == o.Result && d.Act == o.Act && d.Rule == o.Rule && d.Incident == o.Incident &&
		(d.Forecast == nil) == (o.Forecast == nil) && (d.Forecast == nil || d.Forecast.Result == o.Forecast.Result)
}

// Replay decides again on the Inputs and returns an error when the decision is
// another one: the record was changed, or the rules were.
func (d *Decision) Replay() error {
	again := Decide(d.Inputs.Policy, d.Inputs.State, d.Inputs.Signals, d.Inputs.Now)
	was, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("replay decision: %w", err)
	}
	is, err := json.Marshal(again)
	if err != nil {
		return fmt.Errorf("replay decision: %w", err)
	}
	if !bytes.Equal(was, is) {
		return fmt.Errorf("replay decision: %d instances by %s then, %d by %s now", d.Result, d.Rule, again.Result, again.Rule)
	}
	return nil
}
