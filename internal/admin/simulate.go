package admin

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
	"holdfast/exchange"
	"holdfast/internal/admin/access"
	"holdfast/internal/control"
)

const (
	// rehearsalTime is how long a rehearsal may take, and wait for its turn.
	rehearsalTime = 10 * time.Second
	// rehearsalEnough is after how long no more seeds are begun.
	rehearsalEnough = 3 * time.Second
	rehearsalSeeds  = 3
	rehearsalQueue  = 4 // that run or wait
	// rehearsalDiscrete is how many requests of a run are simulated one by one.
	rehearsalDiscrete = 200_000
	rehearsalPoints   = 500
	// A rehearsal works as long as it rests: half a core at most, since requests
	// go first.
	rehearsalWork = 2 * time.Millisecond
)

// Rehearsal is another scaling for a function, to be tried on its past.
type Rehearsal struct {
	Scaling json.RawMessage `json:"scaling" doc:"as scaling_config of PUT /api/admin/monitoring/auto-recovery"`
	Days    float64         `json:"days,omitempty" minimum:"0" maximum:"14" doc:"of history; 7 when left out"`
	// What an instance is like. What is left out is taken from the scaling and
	// the history of the function, see assumed in the answer.
	ServiceTimeMS float64 `json:"service_time_ms,omitempty" minimum:"0" maximum:"3600000" doc:"how long a request takes on average"`
	Slots         int     `json:"slots,omitempty" minimum:"0" maximum:"10000" doc:"requests an instance works on at once"`
	BootSeconds   float64 `json:"boot_seconds,omitempty" minimum:"0" maximum:"3600" doc:"how long an instance takes until it is ready"`
	Price         float64 `json:"price,omitempty" minimum:"0" doc:"of an instance-hour; that of scaling.budget when left out"`
}

// Rehearsed is what the scaling in force and another would have come to.
type Rehearsed struct {
	Function string    `json:"function_name"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	// Assumed are sentences on what an instance was taken to be like, and on what
	// was left out.
	Assumed []string `json:"assumed"`
	// IdealHours are what somebody who knows the future would have paid for
	// instances that boot at once, in instance-hours; IdealBootHours for ones that
	// boot as long as these.
	IdealHours     float64          `json:"ideal_instance_hours"`
	IdealBootHours float64          `json:"ideal_with_boot_instance_hours"`
	Seeds          int              `json:"seeds" doc:"runs of each, each with other random numbers"`
	Present        RehearsedFigures `json:"present"`
	Changed        RehearsedFigures `json:"changed"`
	Series         []RehearsedPoint `json:"series" doc:"of the first run; at most 500"`
}

// RehearsedFigures are those of one policy.
type RehearsedFigures struct {
	InstanceHours    float64  `json:"instance_hours"`
	OverIdeal        float64  `json:"over_ideal" doc:"how many times ideal_instance_hours"`
	Cost             *float64 `json:"cost,omitempty" doc:"missing: there is no price"`
	ViolatedPercent  float64  `json:"violations_percent" doc:"of the requests that waited too long or were lost"`
	LostPercent      float64  `json:"lost_percent" doc:"of the requests"`
	SlowPercent      float64  `json:"slow_minutes_percent" doc:"of the minutes in which more than 5 % of the requests did"`
	UnderPercent     float64  `json:"under_percent" doc:"of the time with fewer instances than the demand kept busy"`
	OverPercent      float64  `json:"over_percent" doc:"of the time with more"`
	ChangesPerDay    float64  `json:"changes_per_day"`
	MostInstances    float64  `json:"most_instances"`
	StartedInstances float64  `json:"started_instances"`
}

// RehearsedPoint is a step of both.
type RehearsedPoint struct {
	At      time.Time `json:"at"`
	Demand  float64   `json:"demand" doc:"instances the demand kept busy, the most of the step"`
	Present float64   `json:"present" doc:"ready instances on average"`
	Changed float64   `json:"changed"`
}

type thisRehearsal struct {
	Function string `path:"function" doc:"name of the function" maxLength:"63"`
	Body     Rehearsal
}

// rehearsals take turns.
type rehearsals struct {
	turn    chan struct{} // capacity 1
	waiting chan struct{} // capacity rehearsalQueue
}

func newRehearsals() rehearsals {
	return rehearsals{make(chan struct{}, 1), make(chan struct{}, rehearsalQueue)}
}

// enter waits for the turn. Who got it calls leave.
func (r rehearsals) enter(ctx context.Context) (leave func(), err error) {
	select {
	case r.waiting <- struct{}{}:
	default:
		return nil, errBusyRehearsing
	}
	ctx, stop := context.WithTimeout(ctx, rehearsalTime)
	defer stop()
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn; <-r.waiting }, nil
	case <-ctx.Done():
		<-r.waiting
		return nil, errBusyRehearsing
	}
}

var errBusyRehearsing = &Error{
	Status: http.StatusServiceUnavailable, Message: "other rehearsals are under way", Hint: "try again in a few seconds", retryAfter: 5 * time.Second,
}

func (s *Server) rehearse(ctx context.Context, in *thisRehearsal) (Rehearsed, error) {
	fn, err := s.function(in.Function)
	if err != nil {
		return Rehearsed{}, err
	}
	if s.config.Control == nil || s.config.Trial == nil || s.config.History == nil {
		return Rehearsed{}, refuse(http.StatusServiceUnavailable, "", "this Holdfast keeps no history to rehearse on")
	}
	access.Covered(ctx) // nothing is changed
	present, changed, err := s.policies(fn.Name(), in.Body.Scaling)
	if err != nil {
		return Rehearsed{}, err
	}
	return s.rehearseWith(ctx, fn, &in.Body, present, changed)
}

func (s *Server) rehearseWith(ctx context.Context, fn *exchange.Function, b *Rehearsal, present, changed simulate.Contender) (Rehearsed, error) {
	leave, err := s.rehearsals.enter(ctx)
	if err != nil {
		return Rehearsed{}, err
	}
	defer leave()
	ctx, stop := context.WithTimeout(ctx, rehearsalTime)
	defer stop()
	p, err := s.demand(ctx, fn.Name(), b.Days)
	if err != nil {
		return Rehearsed{}, err
	}
	w, assumed := b.world(p, present.Policy, coldStartsOf(fn))
	w.Discrete = simulate.DiscreteFor(p.trace, w, rehearsalDiscrete)
	v := Rehearsed{Function: fn.Name(), From: p.trace.Begin, To: p.trace.Begin.Add(p.trace.Length()), Assumed: append(assumed, p.trace.Notes...)}
	both := []simulate.Contender{present, changed}
	v.Assumed = append(v.Assumed, p.past.Prepare(p.trace, both)...)
	if err := v.run(ctx, both, p.trace, w); err != nil {
		return Rehearsed{}, err
	}
	return v, nil
}

// policies are the one in force and the other, both as if they were carried out.
func (s *Server) policies(function string, scaling json.RawMessage) (present, changed simulate.Contender, err error) {
	c := s.config.Control
	state, err := c.Trial(function, control.Documents{Scaling: scaling})
	if err != nil {
		return present, changed, scalingProblems(s.meant(err, function))
	}
	now, err := s.config.Trial(c.State(), function)
	if err != nil {
		return present, changed, err
	}
	then, err := s.config.Trial(state, function)
	if err != nil {
		return present, changed, err
	}
	return now.Scaling, then.Scaling, nil
}

// scalingProblems names fields as the body of a rehearsal does.
func scalingProblems(err error) error {
	r, ok := asRefusal(err)
	if !ok {
		return err
	}
	e := refusalOf(&control.Refusal{Kind: r.Kind, Message: "the scaling cannot be rehearsed", Hint: r.Hint})
	for _, p := range refusalOf(r).Problems {
		if rest, ok := strings.CutPrefix(p.Field, "scaling_config"); ok {
			p.Field = "scaling" + rest
		}
		e.Problems = append(e.Problems, p)
	}
	e.name()
	return e
}

// asked is what was asked of a function.
type asked struct {
	trace   *simulate.Trace
	service float64 // ms of a request, by the medians; 0: not known
	slots   float64 // an instance works on at once, by the processor it used; 0: not known
	past    simulate.Past
}

func (s *Server) demand(ctx context.Context, function string, days float64) (*asked, error) {
	if days == 0 {
		days = 7
	}
	to := time.Now().Truncate(time.Minute)
	points, err := s.config.History.Range(ctx, function, to.Add(-time.Duration(days*24*float64(time.Hour))), to, time.Minute)
	if err != nil {
		return nil, err
	}
	noHistory := "holdfast simulate rehearses on recorded demand of other functions or on access logs"
	if len(points) < 2 {
		return nil, refuse(http.StatusConflict, noHistory, "there is no history of %s in the last %g days yet: it grows by a point a minute", function, days)
	}
	at, counts := make([]time.Time, len(points)), make([]float64, len(points))
	p := &asked{}
	var requests, took, busy, used float64
	for i := range points {
		x := &points[i]
		at[i], counts[i] = x.At, 60*x.RequestsPerSecond
		p.past.Add(x.At, x.Instances, x.OwnSignals())
		requests, took = requests+x.RequestsPerSecond, took+x.RequestsPerSecond*x.P50MS
		if x.CPUPercent != nil && *x.CPUPercent > 1 && x.RequestsPerSecond > 0 {
			busy, used = busy+x.RequestsPerSecond*x.P50MS/1000, used+x.Instances**x.CPUPercent/100
		}
	}
	if p.trace, err = simulate.TraceAt("history of "+function, at, counts); err != nil {
		return nil, refuse(http.StatusConflict, "fewer days may have fewer gaps", "the history of %s cannot be rehearsed on: %s", function, err)
	}
	if requests == 0 {
		return nil, refuse(http.StatusConflict, noHistory, "nobody asked for %s in the last %g days: there is nothing to rehearse on", function, days)
	}
	p.service = took / requests
	if used > 0 {
		p.slots = busy / used
	}
	return p, nil
}

// world is what an instance is like, and what was taken for it.
func (b *Rehearsal) world(p *asked, present autoscale.Policy, cold *ColdStarts) (w simulate.World, assumed []string) {
	l := &lines{}
	service := b.ServiceTimeMS
	if service == 0 {
		service = max(p.service, 1)
		l.add("a request takes %.3g ms, the mean of the medians of the history", service)
	}
	w.Slots = b.Slots
	switch {
	case w.Slots > 0:
	case present.Capacity != nil:
		w.Slots = max(present.Capacity.Slots, 1)
		l.add("an instance works on %d requests at once, as scaling.capacity says", w.Slots)
	case p.slots >= 1.5:
		w.Slots = int(min(math.Round(p.slots), 10_000))
		l.add("an instance works on %d requests at once, by the processor it used for them", w.Slots)
	default:
		w.Slots = 1
		l.add("an instance works on one request at once, since nothing tells otherwise")
	}
	w.Service = time.Duration(service * float64(time.Millisecond))
	boot := b.BootSeconds
	switch {
	case boot > 0:
	case cold != nil && cold.Count > 0:
		boot = cold.P50MS / 1000
		l.add("an instance is ready after %.3g s, as cold starts were", boot)
	default:
		boot = 30
		l.add("an instance is ready after 30 s, since none was measured")
	}
	w.Boot.Median = time.Duration(boot * float64(time.Second))
	w.Drain = 10 * time.Second
	if w.Price = b.Price; w.Price == 0 {
		w.Price = present.Budget.Price
	}
	return w, l.list
}

// run rehearses both, with as many seeds as there is time for.
func (v *Rehearsed) run(ctx context.Context, both []simulate.Contender, t *simulate.Trace, w simulate.World) error {
	begun := time.Now()
	pace := pacer(ctx)
	var sums [2]simulate.Figures
	var lines [2][]simulate.Moment
	for v.Seeds < rehearsalSeeds && (v.Seeds == 0 || time.Since(begun) < rehearsalEnough) {
		for i, c := range both {
			o, err := simulate.Run{Policy: c.Policy, Around: c.Around, Trace: t, World: w, Seed: uint64(v.Seeds + 1), Timeline: v.Seeds == 0, Each: pace}.Do() //nolint:gosec // it is small
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				return &Error{Status: http.StatusServiceUnavailable, Message: "the rehearsal did not end within 10 s", Hint: "fewer days take less; holdfast simulate has no limit", retryAfter: 5 * time.Second}
			case err != nil:
				return refuse(http.StatusBadRequest, "", "the scaling cannot be rehearsed: %s", err)
			}
			sums[i].Plus(&o.Figures)
			if o.Timeline != nil {
				lines[i] = o.Timeline
			}
		}
		v.Seeds++
	}
	n := float64(v.Seeds)
	v.IdealHours, v.IdealBootHours = sums[0].Ideal/n, sums[0].IdealBoot/n
	v.Present, v.Changed = figuresOfRun(&sums[0], n, w.Price), figuresOfRun(&sums[1], n, w.Price)
	v.Series = seriesOf(lines[0], lines[1])
	return nil
}

// pacer makes a run rest as long as it worked, and end when its time is over.
func pacer(ctx context.Context) func() error {
	begun := time.Now()
	rest := time.NewTimer(rehearsalWork)
	rest.Stop()
	return func() error {
		worked := time.Since(begun)
		if worked < rehearsalWork {
			return nil
		}
		rest.Reset(worked)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-rest.C:
		}
		begun = time.Now()
		return nil
	}
}

func figuresOfRun(f *simulate.Figures, n, price float64) RehearsedFigures {
	v := RehearsedFigures{
		InstanceHours: f.InstanceHours / n, OverIdeal: f.Ratio / n, ViolatedPercent: f.Violations / n, LostPercent: f.Lost / n, SlowPercent: f.ViolatedTime / n,
		UnderPercent: f.TauUnder / n, OverPercent: f.TauOver / n, ChangesPerDay: f.ChangesPerDay / n, MostInstances: f.Most / n, StartedInstances: f.Starts / n,
	}
	if price > 0 {
		cost := f.Cost / n
		v.Cost = &cost
	}
	return v
}

// seriesOf puts both on the same steps, few enough to draw.
func seriesOf(present, changed []simulate.Moment) []RehearsedPoint {
	all := min(len(present), len(changed))
	step := max((all+rehearsalPoints-1)/rehearsalPoints, 1)
	list := []RehearsedPoint{}
	for i := 0; i < all; i += step {
		p, end := RehearsedPoint{At: present[i].At.UTC()}, min(i+step, all)
		for k := i; k < end; k++ {
			p.Demand = max(p.Demand, present[k].Demand)
			p.Present += present[k].Ready / float64(end-i)
			p.Changed += changed[k].Ready / float64(end-i)
		}
		p.Demand, p.Present, p.Changed = figure(p.Demand), figure(p.Present), figure(p.Changed)
		list = append(list, p)
	}
	return list
}
