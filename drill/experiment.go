package drill

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Experiment says what is broken under which load, and what is expected.
type Experiment struct {
	Name  string
	About string
	// Baseline, Fault and Recovery are the lengths of the three windows. They
	// are multiples of a second, since seconds are what is judged.
	Baseline, Fault, Recovery time.Duration
	Load                      Load
	Steady                    []Expectation // of the baseline; an installation that is not well is not broken further
	Inject                    []Step
	Expect                    []Expectation
	// Instances is how many running instances it takes.
	Instances int
}

// Load is what clients do meanwhile.
type Load struct {
	Rate    float64       // requests a second
	Surge   float64       // times Rate in the fault window; 0: as before
	Posts   float64       // share of requests that are POSTs to the ledger, if there is one: 0 to 1
	Timeout time.Duration // of a request: 10 s
	Slow    time.Duration // the p99 that clients put up with in a second: 250 ms
}

// Step is one thing that is done. Times count from the begin of the fault
// window.
type Step struct {
	Do   Action
	Whom Whom
	At   time.Duration
	For  time.Duration // 0: until the window ends
	// Every repeats it from At on until the window ends: 0, once.
	Every time.Duration
	Value int    // of scale: instances more; of cpu: percent
	Path  string // of set: key below the function
	// Text is of set the value, as a file would have it; of tcp and http the faults, as packages fault and httpfault read
	// them; of lose-database refuse, which is the default, or drop.
	Text string
}

// Action is what a step does.
type Action string

// The actions.
const (
	Kill      Action = "kill"       // SIGKILL
	Freeze    Action = "freeze"     // SIGSTOP
	CPU       Action = "cpu"        // Value percent of one CPU
	Refuse    Action = "refuse"     // the port refuses connections and resets what it has
	Drop      Action = "drop"       // packets of the port get lost
	TCP       Action = "tcp"        // its connections go through a proxy with faults
	HTTP      Action = "http"       // its requests go through a proxy with faults
	Scale     Action = "scale"      // so many instances more
	Drain     Action = "drain"      // an order: no new requests
	Set       Action = "set"        // an order: a key of the function's configuration
	LoseStore Action = "lose-store" // the state store cannot be reached
	// LoseDatabase takes away the database that the instances use.
	LoseDatabase Action = "lose-database"
)

func actions() []Action {
	return []Action{Kill, Freeze, CPU, Refuse, Drop, TCP, HTTP, Scale, Drain, Set, LoseStore, LoseDatabase}
}

// aimed says that an action is about instances.
func (a Action) aimed() bool {
	return slices.Contains([]Action{Kill, Freeze, CPU, Refuse, Drop, TCP, HTTP, Drain}, a)
}

// Whom are the instances that a step is about.
type Whom string

// One is the first instance that runs, Another the second. Busiest is the one that got most requests in the baseline, so
// that what is done to it is surely met by traffic.
const (
	One     Whom = "one"
	Another Whom = "another"
	Busiest Whom = "busiest"
	All     Whom = "all"
)

// Stretch returns the experiment with all times multiplied.
func (e *Experiment) Stretch(by int) *Experiment {
	out := *e
	times := func(d time.Duration) time.Duration { return time.Duration(int64(d) * int64(max(by, 1))) }
	out.Baseline, out.Fault, out.Recovery = times(e.Baseline), times(e.Fault), times(e.Recovery)
	out.Inject = slices.Clone(e.Inject)
	for i := range out.Inject {
		s := &out.Inject[i]
		if s.At = times(s.At); s.Every == 0 { // what pulses goes on as it does
			s.For = times(s.For)
		}
	}
	return &out
}

// breaks says that something is done that somebody could detect; orders are
// events themselves.
func (e *Experiment) breaks() bool {
	return e.Load.Surge > 0 || slices.ContainsFunc(e.Inject, func(s Step) bool {
		return s.Do != Scale && s.Do != Drain
	})
}

// Length is how long it takes.
func (e *Experiment) Length() time.Duration { return e.Baseline + e.Fault + e.Recovery }

// AtMost is how long a drill of it can take: it waits for instances that are not there yet before, and for what is under
// way and what has to be given back behind.
func (e *Experiment) AtMost() time.Duration {
	return ejection + e.Length() + e.Load.Timeout + orderTime + passing + settle
}

const (
	shortest = time.Second
	longest  = time.Hour
	fastest  = 100_000
)

// problem is what is wrong with a key.
type problem struct {
	key string // YAML path
	err error
}

func wrong(key, format string, args ...any) *problem {
	return &problem{key, fmt.Errorf(format, args...)}
}

// check returns the first thing that is wrong, or nil.
func (e *Experiment) check() *problem {
	for _, w := range []struct {
		key string
		d   time.Duration
	}{{"baseline", e.Baseline}, {"fault", e.Fault}, {"recovery", e.Recovery}} {
		if w.d < shortest || w.d > longest || w.d%time.Second != 0 {
			return wrong(w.key, "%s: want whole seconds from 1s to 1h, not %s", w.key, w.d)
		}
	}
	switch {
	case e.Name == "":
		return wrong("name", "name: an experiment needs one")
	case !(e.Load.Rate > 0 && e.Load.Rate <= fastest):
		return wrong("load.rate", "load.rate: must be above 0 and at most %d requests a second", fastest)
	case !(e.Load.Posts >= 0 && e.Load.Posts <= 1):
		return wrong("load.posts", "load.posts: must lie between 0 and 1")
	case !(e.Load.Surge >= 0 && e.Load.Surge*e.Load.Rate <= fastest):
		return wrong("load.surge", "load.surge: must not be negative, and the rate with it at most %d a second", fastest)
	case len(e.Expect) == 0:
		return wrong("expect", "expect: say what is expected, or nothing can fail")
	case len(e.Inject) == 0 && e.Load.Surge == 0:
		return wrong("inject", "inject: say what is done, or let the load surge")
	}
	for i := range e.Inject {
		if err := e.Inject[i].check(e.Fault); err != nil {
			return &problem{fmt.Sprintf("inject[%d]", i), fmt.Errorf("inject[%d]: %w", i, err)}
		}
	}
	return nil
}

var (
	errAction = errors.New("do: want kill, freeze, cpu, refuse, drop, tcp, http, scale, drain, set, lose-store or lose-database")
	errWhom   = errors.New("whom: want one, another, busiest or all")
	errTime   = errors.New("at and for: must lie within the fault window")
	errEvery  = errors.New("every: must be longer than for, and for is needed")
	errCPU    = errors.New("value: want 1 to 100 percent of a CPU")
	errScale  = errors.New("value: want how many instances more, 1 to 20")
	errSet    = errors.New("path and text: say which key of the function becomes what")
	errFaults = errors.New("text: say what goes wrong, as in latency=200ms~50ms for tcp or status=503@10% for http")
	errLoss   = errors.New("text: want refuse or drop")
)

func (s *Step) check(window time.Duration) error {
	switch {
	case !slices.Contains(actions(), s.Do):
		return errAction
	case s.Do.aimed() != slices.Contains([]Whom{One, Another, Busiest, All}, s.Whom):
		return errWhom
	case s.At < 0 || s.For < 0 || s.At+s.For > window || s.At >= window:
		return errTime
	case s.Every != 0 && (s.Every <= s.For || s.For == 0 && s.Do != Kill):
		return errEvery
	case s.Do == CPU && (s.Value < 1 || s.Value > 100):
		return errCPU
	case s.Do == Scale && (s.Value < 1 || s.Value > 20):
		return errScale
	case s.Do == Set && (s.Path == "" || s.Text == ""):
		return errSet
	case s.Do == LoseDatabase && !slices.Contains([]string{"", "refuse", "drop"}, s.Text):
		return errLoss
	case s.Do == TCP || s.Do == HTTP:
		return s.checkFaults()
	}
	return nil
}
