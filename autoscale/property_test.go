package autoscale_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"holdfast/autoscale"
)

// names are the signals that random policies and signals are made of.
func names() []autoscale.Signal {
	return []autoscale.Signal{
		autoscale.CPUPercent, autoscale.MemoryPercent, autoscale.ResponseTimeMS, autoscale.ErrorRatePercent, autoscale.ActiveConnections,
		autoscale.InFlight, autoscale.QueueLength, autoscale.IdleSeconds, autoscale.OfferedRate, autoscale.ServedRate, autoscale.ServiceTimeMS, "custom:x",
	}
}

func randomValues(r *rand.Rand) values {
	v := values{}
	for _, name := range names() {
		if r.IntN(5) > 0 {
			v[name] = []float64{0, r.Float64(), 100 * r.Float64(), 5000 * r.Float64()}[r.IntN(4)]
		}
	}
	return v
}

func randomPolicy(r *rand.Rand) autoscale.Policy {
	p := autoscale.Policy{
		Min: r.IntN(4), Tolerance: []float64{0, -1, 0.3}[r.IntN(3)], ChangesPerHour: r.IntN(6),
		Cooldown: time.Duration(r.IntN(3)) * time.Minute, Boot: time.Duration(r.IntN(60)) * time.Second,
		Up:     autoscale.Limits{Hold: time.Duration(r.IntN(3)) * 30 * time.Second, Never: r.IntN(9) == 0},
		Down:   autoscale.Limits{Hold: time.Duration(r.IntN(3)-1) * time.Minute, Never: r.IntN(9) == 0, Careful: r.IntN(2) == 0},
		Panic:  autoscale.Panic{Off: r.IntN(3) == 0},
		Zero:   autoscale.Zero{After: time.Duration(r.IntN(100)) * time.Second},
		Budget: autoscale.Budget{PerHour: float64(r.IntN(3) * r.IntN(10)), PerMonth: float64(r.IntN(2) * r.IntN(2000)), AtCap: []autoscale.AtCap{"", autoscale.ShrinkAtCap, autoscale.WarnAtCap}[r.IntN(3)]},
	}
	p.Max = p.Min + 1 + r.IntN(20)
	p.Thresholds.Up, p.Thresholds.Down = values{}, values{}
	for _, name := range names()[:5] {
		if r.IntN(2) == 0 {
			p.Thresholds.Up[name] = 50 + 50*r.Float64()
		}
		if r.IntN(3) == 0 {
			p.Thresholds.Down[name] = 50 * r.Float64()
		}
	}
	if r.IntN(2) == 0 {
		p.Thresholds.IdleFor = time.Duration(r.IntN(100)) * time.Second
	}
	for range r.IntN(3) {
		p.Thresholds.Steps = append(p.Thresholds.Steps, autoscale.Step{Over: 60 * r.Float64(), Add: 1 + r.IntN(5), Percent: 300 * r.Float64()})
		p.Thresholds.StepsDown = append(p.Thresholds.StepsDown, autoscale.StepDown{Under: 100 * r.Float64(), Remove: r.IntN(9), Percent: 1 + 99*r.Float64()})
		p.Up.Rates = append(p.Up.Rates, autoscale.Rate{Instances: r.IntN(9), Percent: 1 + 300*r.Float64(), Per: time.Duration(1+r.IntN(90)) * time.Second})
		p.Down.Rates = append(p.Down.Rates, autoscale.Rate{Instances: 1 + r.IntN(9), Percent: 100 * r.Float64(), Per: time.Duration(1+r.IntN(90)) * time.Second})
	}
	for range r.IntN(3) {
		kinds := []autoscale.Kind{autoscale.Automatic, autoscale.Mean, autoscale.Total, autoscale.Ratio}
		p.Targets = append(p.Targets, autoscale.Target{Signal: names()[r.IntN(len(names()))], Value: 1 + 80*r.Float64(), Kind: kinds[r.IntN(4)]})
	}
	if r.IntN(2) == 0 {
		p.Capacity = &autoscale.Capacity{Slots: r.IntN(10), Waiting: r.Float64() / 2, MaxWait: time.Duration(r.IntN(2)) * time.Second, Variation: 4 * r.Float64()}
	}
	if r.IntN(3) == 0 {
		p.Schedules = []autoscale.Schedule{{Name: "a", Min: r.IntN(30)}, {Name: "b", Max: 1 + r.IntN(30)}}
	}
	p.Mode = []autoscale.Mode{
		{},
		{},
		{},
		{Kind: autoscale.UpOnly},
		{Kind: autoscale.Advisory},
		{Kind: autoscale.Paused, Until: at(time.Minute)},
		{Kind: autoscale.Pinned, At: r.IntN(50)},
	}[r.IntN(7)]
	return p
}

func randomSignals(r *rand.Rand, desired int, now time.Time) autoscale.Signals {
	s := autoscale.Signals{
		Desired: desired, Values: randomValues(r), BreakerOpen: r.IntN(9) == 0, Deploying: r.IntN(9) == 0,
		Schedules: [][]string{nil, {"a"}, {"b"}, {"a", "b", "c"}}[r.IntN(4)],
	}
	if r.IntN(3) == 0 {
		s.VersionSince = now.Add(-time.Duration(r.IntN(1200)) * time.Second)
	}
	states := []autoscale.InstanceState{"", autoscale.Ready, autoscale.Ready, autoscale.Starting, autoscale.Failed, autoscale.Unready, autoscale.Draining}
	for range r.IntN(desired + 2) {
		s.Instances = append(s.Instances, autoscale.Instance{
			ID: "i", State: states[r.IntN(len(states))], Since: now.Add(-time.Duration(r.IntN(200)) * time.Second), Values: randomValues(r), Version: []string{"", "v1", "v2"}[r.IntN(3)],
		})
	}
	if r.IntN(2) == 0 {
		s.Burst = randomValues(r)
	}
	if r.IntN(4) == 0 {
		s.Forecast = &autoscale.Forecast{Instances: r.IntN(100), Quantile: 0.9}
	}
	return s
}

// used are the signals whose absence a policy has to notice.
func used(p *autoscale.Policy) []autoscale.Signal {
	var list []autoscale.Signal
	for _, name := range names() {
		_, up := p.Thresholds.Up[name]
		_, down := p.Thresholds.Down[name]
		if up || down {
			list = append(list, name)
		}
	}
	if len(p.Thresholds.Down) > 0 && p.Thresholds.IdleFor > 0 {
		list = append(list, autoscale.IdleSeconds)
	}
	if p.Capacity != nil {
		list = append(list, autoscale.OfferedRate, autoscale.ServiceTimeMS)
	}
	for _, t := range p.Targets {
		list = append(list, t.Signal)
	}
	return list
}

// without takes a signal away everywhere.
func without(s *autoscale.Signals, name autoscale.Signal) {
	delete(s.Values, name)
	for i := range s.Instances {
		delete(s.Instances[i].Values, name)
	}
	wasReady := slices.ContainsFunc(s.Instances, func(i autoscale.Instance) bool {
		return i.State == "" || i.State == autoscale.Ready || i.State == autoscale.Unready
	})
	if name == autoscale.ResponseTimeMS || name == autoscale.ErrorRatePercent || name == autoscale.ServiceTimeMS || !wasReady {
		if name != autoscale.OfferedRate {
			s.Values[autoscale.OfferedRate] = 1 // with 0 they would be known, or not be needed
		}
	}
}

func deep[T any](t *testing.T, v T) (out T) {
	t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What FuzzDecide looks at holds for sixty policies in every run.
func TestPropertiesOfDecisionsHoldForManyPolicies(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		followRandomly(t, seed, 1<<32+seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// FuzzDecide follows a function under a random policy for a while and looks at
// what must always be so.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, seed*7)
	}
	f.Fuzz(followRandomly)
}

func followRandomly(t *testing.T, a, b uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(a, b))
	p := randomPolicy(r)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	var s autoscale.State
	now, desired := at(0), r.IntN(p.Max+3)
	for range 15 {
		now = now.Add(time.Duration(1+r.IntN(40)) * time.Second)
		in := randomSignals(r, desired, now)
		d := decideTwice(t, p, s, in, now)
		neverUnknownAndLess(t, p, s, in, now)
		s = d.Next
		if r.IntN(10) > 0 { // a platform may not have followed
			desired = d.Target()
		}
	}
}

// Under a load that stays the same a policy settles: what changes all the time is
// not what was measured, but the rules themselves.
func TestUnderASteadyLoadThereIsNoComingAndGoing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := randomPolicy(r)
		p.Mode, p.Budget, p.Cooldown = autoscale.Mode{}, autoscale.Budget{}, 0
		v := randomValues(r)
		var s autoscale.State
		desired, turns, was := r.IntN(p.Max+1), 0, 0
		for tick := range 120 {
			d := autoscale.Decide(p, s, autoscale.Signals{Desired: desired, Values: v, Burst: v}, at(time.Duration(tick)*10*time.Second))
			switch change := d.Target() - desired; {
			case change*was < 0:
				turns++
				was = change
			case change != 0:
				was = change
			}
			s, desired = d.Next, d.Target()
		}
		if turns > 1 { // a panic that ends is one
			t.Errorf("seed %d: %d times up after down or down after up under the same load, %v", seed, turns, v)
		}
	}
}

// decideTwice checks what a single decision promises.
func decideTwice(t *testing.T, p autoscale.Policy, s autoscale.State, in autoscale.Signals, now time.Time) autoscale.Decision {
	t.Helper()
	pWas, sWas, inWas := deep(t, p), deep(t, s), deep(t, in)
	d := autoscale.Decide(p, s, in, now)
	if d.Result < p.Min || d.Result > p.Max || d.Result < d.Min || d.Result > d.Max {
		t.Errorf("%d is outside of %d to %d, and %d to %d", d.Result, p.Min, p.Max, d.Min, d.Max)
	}
	if !reflect.DeepEqual(deep(t, p), pWas) || !reflect.DeepEqual(deep(t, s), sWas) || !reflect.DeepEqual(deep(t, in), inWas) {
		t.Error("the arguments were changed")
	}
	read := deep(t, d)
	if err := read.Replay(); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(read, d) {
		t.Error("the decision does not survive JSON")
	}
	if f := d.Forecast; f != nil && (f.Result < p.Min || f.Result > p.Max || d.Act && p.Mode.Kind == "" && f.Result < d.Result) {
		t.Errorf("with the forecast of %d it is %d, without it %d", f.Proposal.Instances, f.Result, d.Result)
	}
	for i := 1; i < len(d.Constraints); i++ {
		if d.Constraints[i].From != d.Constraints[i-1].To {
			t.Errorf("the constraints do not follow from one another: %+v", d.Constraints)
		}
	}
	if n := len(d.Constraints); n > 0 && (d.Constraints[0].From != d.Wanted || d.Constraints[n-1].To != d.Result) || n == 0 && d.Wanted != d.Result {
		t.Errorf("%d wanted, %d result, %+v", d.Wanted, d.Result, d.Constraints)
	}
	return d
}

// neverUnknownAndLess takes away one signal after the other.
func neverUnknownAndLess(t *testing.T, p autoscale.Policy, s autoscale.State, in autoscale.Signals, now time.Time) {
	t.Helper()
	p.Mode, p.Budget, p.Schedules = autoscale.Mode{}, autoscale.Budget{}, nil // people and money may remove all the same
	p.Max = max(p.Max, in.Desired)
	in.Desired = max(in.Desired, 1)
	for _, name := range used(&p) {
		blind := deep(t, in)
		if blind.Values == nil {
			blind.Values = values{}
		}
		without(&blind, name)
		if d := autoscale.Decide(p, s, blind, now); d.Result < in.Desired {
			t.Errorf("%s is unknown, and %d instances became %d\n%s", name, in.Desired, d.Result, lines(&d))
		}
	}
}
