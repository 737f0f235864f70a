package autoscale

import "time"

// Policy says how a function is scaled. Its zero value keeps the number of
// instances at 1; FunctionPolicy and ServicePolicy are places to begin. As
// JSON, durations are nanoseconds.
type Policy struct {
	// Min and Max bound every result. Min 0 allows none at all, see Zero. Max 0
	// is 1, or Min if that is more.
	Min int `json:"min"`
	Max int `json:"max"`

	Thresholds Thresholds `json:"thresholds"`
	Targets    []Target   `json:"targets,omitempty"`
	// Capacity is nil when not used.
	Capacity  *Capacity  `json:"capacity,omitempty"`
	Panic     Panic      `json:"panic"`
	Zero      Zero       `json:"zero"`
	Schedules []Schedule `json:"schedules,omitempty"`

	// Tolerance is how far a target or the capacity may be missed before
	// anything is changed, as a share. 0 is 0.1, negative is none.
	Tolerance float64 `json:"tolerance,omitempty"`
	// Up and Down slow changes of one direction.
	Up   Limits `json:"up"`
	Down Limits `json:"down"`
	// Cooldown is the rest after a change, whatever its direction. 0: none.
	Cooldown time.Duration `json:"cooldown,omitempty"`
	// ChangesPerHour is how many changes an hour may have before no more
	// instances are removed in it. Adding goes on. 0: no limit.
	ChangesPerHour int `json:"changes_per_hour,omitempty"`
	// Boot is how long an instance takes until it is ready, at most, nearly
	// always (p95). 0 is 30 s. One that starts for twice as long has failed.
	Boot time.Duration `json:"boot,omitempty"`

	Guards Guards `json:"guards"`
	Budget Budget `json:"budget"`
	Mode   Mode   `json:"mode"`
}

// Thresholds are limits of signals. A signal that is not in a map is not looked
// at.
type Thresholds struct {
	// Up adds instances when any is above its limit.
	Up map[Signal]float64 `json:"up,omitempty"`
	// Down removes one when all are below their limits. Empty: none is removed
	// because of thresholds, and with targets or a capacity those alone decide
	// about that.
	Down map[Signal]float64 `json:"down,omitempty"`
	// IdleFor is the time without a request that Down asks for besides; 0: none.
	IdleFor time.Duration `json:"idle_for,omitempty"`
	// Steps say how many are added. The one with the largest Over that was
	// passed counts. Empty: one instance.
	Steps []Step `json:"steps,omitempty"`
	// Remove is how many are removed at once. 0 is 1.
	Remove int `json:"remove,omitempty"`
	// StepsDown say when more are removed at once. The one with the largest Under
	// that every signal of Down keeps counts; where none does, Remove.
	StepsDown []StepDown `json:"steps_down,omitempty"`
}

// Step is how many instances are added when a threshold is passed by Over.
type Step struct {
	// Over is by how many percent of the threshold it is passed.
	Over float64 `json:"over"`
	// Add is a number of instances, Percent one in percent of those there are;
	// the larger counts.
	Add     int     `json:"add"`
	Percent float64 `json:"percent,omitempty"`
}

// StepDown is how many instances are removed when all signals are below their
// thresholds by Under.
type StepDown struct {
	// Under is by how many percent of its threshold each signal is below it.
	Under float64 `json:"under"`
	// Remove is a number of instances, Percent one in percent of those there are,
	// rounded down; the larger counts.
	Remove  int     `json:"remove"`
	Percent float64 `json:"percent,omitempty"`
}

// Kind says what the value of a Target is.
type Kind string

// The kinds.
const (
	// Automatic takes Mean for signals of instances, Ratio for ResponseTimeMS
	// and Total for everything else.
	Automatic Kind = ""
	// Mean: the signal is one of each instance, and so is the target.
	Mean Kind = "mean"
	// Total: the signal is a sum, and the target is the part one instance may
	// have of it.
	Total Kind = "total"
	// Ratio: the signal is one number for all, which gets smaller as instances
	// are added.
	Ratio Kind = "ratio"
)

// Target keeps a signal at a value.
type Target struct {
	Signal Signal  `json:"signal"`
	Value  float64 `json:"value"`
	Kind   Kind    `json:"kind,omitempty"`
}

func (t Target) kind() Kind {
	if t.Kind != Automatic {
		return t.Kind
	}
	if t.Signal == CPUPercent || t.Signal == MemoryPercent || t.Signal == ActiveConnections {
		return Mean
	}
	if t.Signal == ResponseTimeMS {
		return Ratio
	}
	return Total
}

// Zero takes the last instance away when it is not needed. It needs Min 0, and
// a caller that holds requests until an instance is ready.
type Zero struct {
	// After is how long nobody may have asked for anything. 0 is 5 min.
	After time.Duration `json:"after,omitempty"`
}

// Schedule moves the bounds while Signals.Schedules names it; autoscale/schedule
// tells when that is.
type Schedule struct {
	Name string `json:"name"`
	// Min and Max go before the policy's; 0: they do not. Of several schedules
	// the largest counts.
	Min int `json:"min,omitempty"`
	Max int `json:"max,omitempty"`
}

// Limits slow the changes of one direction.
type Limits struct {
	// Hold is how long a wish must have lasted: the most careful one of that
	// time counts. Up: 0 is none. Down: 0 is 5 min, negative is none.
	Hold time.Duration `json:"hold,omitempty"`
	// Rates bound the instances that come or go in a time. Nil is 4 or 100 % in
	// 15 s upwards, whichever is more, and 25 % in a minute downwards. At least
	// one instance may always come or go.
	Rates []Rate `json:"rates,omitempty"`
	// Careful takes the smallest of several Rates; otherwise the largest counts.
	Careful bool `json:"careful,omitempty"`
	// Never forbids the direction.
	Never bool `json:"never,omitempty"`
}

// Rate is a number of instances, and one in percent, of which the larger
// counts, in a time of at most an hour.
type Rate struct {
	Instances int           `json:"instances,omitempty"`
	Percent   float64       `json:"percent,omitempty"`
	Per       time.Duration `json:"per"`
}

const (
	defaultTolerance = 0.1
	defaultBoot      = 30 * time.Second
	defaultHoldDown  = 5 * time.Minute
	defaultZeroAfter = 5 * time.Minute
	hour             = time.Hour
)

// withDefaults returns a copy with all defaults written out, which shares
// nothing with p.
func (p Policy) withDefaults() Policy {
	p.Min = max(p.Min, 0)
	if p.Max <= 0 {
		p.Max = max(p.Min, 1)
	}
	p.Thresholds.Up, p.Thresholds.Down = known(p.Thresholds.Up), known(p.Thresholds.Down)
	p.Thresholds.Steps, p.Thresholds.StepsDown = cloned(p.Thresholds.Steps), cloned(p.Thresholds.StepsDown)
	p.Thresholds.Remove = max(p.Thresholds.Remove, 1)
	p.Targets, p.Schedules = cloned(p.Targets), cloned(p.Schedules)
	if p.Capacity != nil {
		c := p.Capacity.withDefaults()
		p.Capacity = &c
	}
	p.Panic = p.Panic.withDefaults()
	p.Guards = p.Guards.withDefaults()
	p.Budget = p.Budget.withDefaults()
	p.Mode = p.Mode.normal()
	set(&p.Zero.After, defaultZeroAfter)
	set(&p.Boot, defaultBoot)
	set(&p.Down.Hold, defaultHoldDown)
	if p.Tolerance == 0 {
		p.Tolerance = defaultTolerance
	}
	p.Up = p.Up.withRates(Rate{Instances: 4, Percent: 100, Per: 15 * time.Second})
	p.Down = p.Down.withRates(Rate{Percent: 25, Per: time.Minute})
	return p
}

func (l Limits) withRates(usual Rate) Limits {
	l.Rates = cloned(l.Rates)
	if l.Rates == nil {
		l.Rates = []Rate{usual}
	}
	return l
}

// set puts a default where there is no value.
func set(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// tolerance is never negative.
func (p Policy) tolerance() float64 { return max(p.Tolerance, 0) }
