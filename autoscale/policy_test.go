package autoscale_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/autoscale"
)

func TestTheProfilesAreValid(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]autoscale.Policy{"function": autoscale.FunctionPolicy(), "service": autoscale.ServicePolicy(), "zero": {}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsWrongWithAPolicyIsNamed(t *testing.T) {
	t.Parallel()
	for says, p := range map[string]autoscale.Policy{
		"Min must be at most Max":          {Min: 3, Max: 2},
		"Min must not be negative":         {Min: -1},
		"Max must be between":              {Max: 1 << 30},
		"Tolerance":                        {Tolerance: 1},
		"Cooldown must not be negative":    {Cooldown: -1},
		"Up.Hold must not be negative":     {Up: autoscale.Limits{Hold: -1}},
		"ChangesPerHour":                   {ChangesPerHour: -1},
		"come and go for ever":             {Thresholds: autoscale.Thresholds{Up: values{"x": 1}, Down: values{"x": 1}}},
		"Steps[0] must add":                {Thresholds: autoscale.Thresholds{Steps: []autoscale.Step{{Over: 1}}}},
		"StepsDown[0].Under":               {Thresholds: autoscale.Thresholds{StepsDown: []autoscale.StepDown{{Under: 101, Remove: 1}}}},
		"StepsDown[0] must remove":         {Thresholds: autoscale.Thresholds{StepsDown: []autoscale.StepDown{{Under: 50}}}},
		"Thresholds.Remove":                {Thresholds: autoscale.Thresholds{Remove: -1}},
		"Targets[0].Value":                 {Targets: []autoscale.Target{{Signal: "x"}}},
		"Targets[0].Signal":                {Targets: []autoscale.Target{{Value: 1}}},
		"Targets[0].Kind":                  {Targets: []autoscale.Target{{Signal: "x", Value: 1, Kind: "median"}}},
		"Up.Rates[0].Per":                  {Up: autoscale.Limits{Rates: []autoscale.Rate{{Instances: 1, Per: 2 * time.Hour}}}},
		"Down.Rates[0] needs":              {Down: autoscale.Limits{Rates: []autoscale.Rate{{Per: time.Hour}}}},
		"Schedules[0].Name":                {Schedules: []autoscale.Schedule{{Min: 1}}},
		"Schedules[0].Min must be at most": {Schedules: []autoscale.Schedule{{Name: "a", Min: 3, Max: 2}}},
		"Capacity.Slots":                   {Max: 1000, Capacity: &autoscale.Capacity{Slots: 1001}},
		"Capacity.Waiting":                 {Capacity: &autoscale.Capacity{Waiting: 1}},
		"Panic.Factor":                     {Panic: autoscale.Panic{Factor: 1}},
		"Budget.AtCap":                     {Budget: autoscale.Budget{AtCap: "cry"}},
		"Budget.Price":                     {Budget: autoscale.Budget{Price: -1}},
		"Mode.Until is missing":            {Mode: autoscale.Mode{Kind: autoscale.Paused}},
		"Mode.Kind":                        {Mode: autoscale.Mode{Kind: "off"}},
		"Mode.At":                          {Mode: autoscale.Mode{At: 3}},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	all := autoscale.Policy{Min: -1, Cooldown: -1, Tolerance: 2}.Validate()
	if all == nil || strings.Count(all.Error(), "\n") != 2 {
		t.Errorf("not all three problems: %v", all)
	}
}

func TestAChangedRecordDoesNotReplay(t *testing.T) {
	t.Parallel()
	d := decide(totals(1, 10), wishes(3, 5)[0])
	if err := d.Replay(); err != nil {
		t.Error(err)
	}
	d.Result = 6
	if d.Replay() == nil {
		t.Error("a changed record replayed")
	}
}
