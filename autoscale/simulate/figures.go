package simulate

import (
	"math"
	"time"
)

// Figures are what a run came to. Demand is counted in instances that are busy
// all the time, D; the whole instances it needs are D rounded up, and S are the
// ready ones, each as far as it can work: by its speed and slow start. The elasticity figures are those of SPEC RG (Herbst and others,
// "Ready for Rain?").
type Figures struct {
	// ThetaUnder is how much of the demand had no instance, on average over
	// time: (D - S) / D where that is more than 0, in percent. ThetaOver is how
	// much more than needed was ready. TauUnder and TauOver are the time in
	// percent in which that was so.
	ThetaUnder float64 `json:"theta_under_percent"`
	ThetaOver  float64 `json:"theta_over_percent"`
	TauUnder   float64 `json:"tau_under_percent"`
	TauOver    float64 `json:"tau_over_percent"`
	// Missing is the demand that had no instance, in percent of all demand.
	Missing float64 `json:"demand_missing_percent"`
	// Unstable is the time in percent in which instances did not go where
	// demand went, from minute to minute.
	Unstable float64 `json:"unstable_percent"`

	// Offered requests, and of them in percent: those that got no answer, and
	// those that waited too long or got none.
	Offered    float64 `json:"offered"`
	Lost       float64 `json:"lost_percent"`
	Violations float64 `json:"violations_percent"`
	// ViolatedTime is the share of minutes with more violations than allowed,
	// in percent of the time; WorstWindow is the share of violations in the
	// worst five minutes, in percent.
	ViolatedTime float64 `json:"violated_time_percent"`
	WorstWindow  float64 `json:"worst_5_minutes_percent"`

	// InstanceHours were paid for. Ideal is what an omniscient platform without
	// boot times would have paid, IdealBoot one that boots as long as this one
	// and knows when to begin. Ratios are of them; 0 where they are.
	InstanceHours float64 `json:"instance_hours"`
	Ideal         float64 `json:"ideal_instance_hours"`
	IdealBoot     float64 `json:"ideal_with_boot_instance_hours"`
	Ratio         float64 `json:"ratio"`
	RatioBoot     float64 `json:"ratio_with_boot"`
	Cost          float64 `json:"cost"`

	// Starts are launched instances, Changes those of the wanted number.
	Starts        float64 `json:"starts"`
	ChangesPerDay float64 `json:"changes_per_day"`
	Most          float64 `json:"most_instances"`
	// Discrete is how much of the time was simulated request by request, in
	// percent.
	Discrete float64 `json:"discrete_percent"`
}

// Outcome is a run.
type Outcome struct {
	Figures
	Seed uint64 `json:"seed"`
	// Days is what was counted, without the warm-up.
	Days float64 `json:"days"`
	// Timeline is empty unless it was asked for.
	Timeline []Moment `json:"timeline,omitempty"`
}

// Moment is a minute of a run, or a step of the trace when those are longer.
type Moment struct {
	At time.Time `json:"at"`
	// Demand is in instances that are busy all the time.
	Demand     float64 `json:"demand"`
	Ready      float64 `json:"ready"`
	Paid       float64 `json:"paid"`
	Violations float64 `json:"violations_percent"`
}

// counting is the sum of a run so far.
type counting struct {
	from   float64 // after the warm-up
	figure Figures // sums
	time   float64

	starts  int // before the warm-up was over
	changes int
	bucket  bucket
	long    float64    // of a bucket
	recent  []bucket   // of the last five minutes
	before  [2]float64 // need and ready at the end of the bucket before
	buckets int
	line    []Moment
}

// bucket is a minute.
type bucket struct {
	begin, seconds      float64
	demand, ready, paid float64 // times seconds
	offered, bad        float64
	demandNow, readyNow float64
}

func newCounting(s *simulation) *counting {
	return &counting{from: s.world.Warmup.Seconds(), long: max(time.Minute, s.world.Tick).Seconds()}
}

func (c *counting) changed(_, _ int, now float64) {
	if now >= c.from {
		c.changes++
	}
}

// add counts a piece of time.
func (c *counting) add(s *simulation, now, to, rate float64, discrete bool, f amounts) {
	if to <= c.from {
		c.starts = s.fleet.started
		return
	}
	long := to - now
	demand := rate / (float64(s.world.Slots) / s.world.Service.Seconds())
	need, ready := math.Ceil(demand-1e-9), s.power/float64(s.world.Slots)
	g := &c.figure
	if ready < demand-1e-9 {
		g.ThetaUnder += (demand - ready) / demand * long
		g.TauUnder += long
		g.Missing += (demand - ready) * long
	}
	if ready > need {
		g.ThetaOver += (ready - need) / max(need, 1) * long
		g.TauOver += long
	}
	paid := float64(s.fleet.paid())
	g.InstanceHours += paid * long / 3600
	g.Most = max(g.Most, paid)
	g.Offered += f.offered
	g.Lost += f.lost
	g.Violations += f.late + f.lost
	if discrete {
		g.Discrete += long
	}
	c.time += long
	c.fill(s, bucket{
		begin: now, seconds: long, demand: demand * long, ready: ready * long, paid: paid * long,
		offered: f.offered, bad: f.late + f.lost, demandNow: need, readyNow: float64(len(s.fleet.ready)),
	})
}

// fill puts a piece into its minute.
func (c *counting) fill(s *simulation, p bucket) {
	b := &c.bucket
	if b.seconds > 0 && p.begin >= b.begin+c.long-1e-9 {
		c.close(s)
	}
	if b.seconds == 0 {
		b.begin = math.Floor(p.begin/c.long+1e-9) * c.long
	}
	b.seconds += p.seconds
	b.demand, b.ready, b.paid = b.demand+p.demand, b.ready+p.ready, b.paid+p.paid
	b.offered, b.bad = b.offered+p.offered, b.bad+p.bad
	b.demandNow, b.readyNow = p.demandNow, p.readyNow
}

// close ends a minute.
func (c *counting) close(s *simulation) {
	b := c.bucket
	if b.seconds == 0 {
		return
	}
	g := &c.figure
	if b.offered > 0 && b.bad > s.world.Violations*b.offered {
		g.ViolatedTime += b.seconds
	}
	if c.buckets > 0 && sign(b.demandNow-c.before[0]) != sign(b.readyNow-c.before[1]) {
		g.Unstable += b.seconds
	}
	c.before = [2]float64{b.demandNow, b.readyNow}
	c.buckets++
	c.window(b)
	if s.Timeline {
		share := 0.0
		if b.offered > 0 {
			share = min(100*b.bad/b.offered, 100) // late ones may have come a minute before
		}
		c.line = append(c.line, Moment{s.wall(b.begin), b.demand / b.seconds, b.ready / b.seconds, b.paid / b.seconds, share})
	}
	c.bucket = bucket{}
}

// fewest requests make a window worth judging.
const fewest = 10

// window keeps the worst five minutes.
func (c *counting) window(b bucket) {
	c.recent = append(c.recent, b)
	for len(c.recent) > 1 && c.recent[0].begin <= b.begin-5*60 {
		c.recent = c.recent[1:]
	}
	var offered, bad float64
	for i := range c.recent {
		offered, bad = offered+c.recent[i].offered, bad+c.recent[i].bad
	}
	if offered >= fewest {
		c.figure.WorstWindow = max(c.figure.WorstWindow, min(100*bad/offered, 100))
	}
}

func sign(v float64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// outcome makes shares of the sums.
func (c *counting) outcome(s *simulation) *Outcome {
	c.close(s)
	g := c.figure
	var demand float64
	g.Ideal, g.IdealBoot, demand = ideal(s.Trace, &s.world)
	g.Ratio, g.RatioBoot = over(g.InstanceHours, g.Ideal), over(g.InstanceHours, g.IdealBoot)
	g.Missing = 100 * over(g.Missing, demand)
	for _, v := range []*float64{&g.ThetaUnder, &g.ThetaOver, &g.TauUnder, &g.TauOver, &g.Unstable, &g.ViolatedTime, &g.Discrete} {
		*v = 100 * over(*v, c.time)
	}
	g.Lost, g.Violations = 100*over(g.Lost, g.Offered), min(100*over(g.Violations, g.Offered), 100)
	g.Cost = g.InstanceHours * s.world.Price
	days := c.time / day.Seconds()
	g.Starts, g.ChangesPerDay = float64(s.fleet.started-c.starts), over(float64(c.changes), days)
	return &Outcome{Figures: g, Seed: s.Seed, Days: days, Timeline: c.line}
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// ideal is what an omniscient platform would have paid, in instance-hours: for
// what each moment needs, and for what is needed until now and a boot time
// later. It also sums up the demand, in instance-seconds.
func ideal(t *Trace, w *World) (none, boot, demand float64) {
	step := t.Step.Seconds()
	first := int(w.Warmup.Seconds() / step)
	need := make([]float64, len(t.Counts))
	for i := range need {
		need[i] = math.Ceil(t.Rate(i)*w.Service.Seconds()/float64(w.Slots) - 1e-9)
	}
	ahead := int(math.Ceil(w.Boot.Median.Seconds() / step))
	most := runningMost(need, ahead)
	for i := first; i < len(need); i++ {
		none += need[i] * step / 3600
		boot += most[i] * step / 3600
		demand += t.Rate(i) * w.Service.Seconds() / float64(w.Slots) * step
	}
	return none, boot, demand
}

// runningMost is the largest value from each place to as many further.
func runningMost(v []float64, ahead int) []float64 {
	out := make([]float64, len(v))
	var candidates []int // their values fall
	for i := len(v) - 1; i >= 0; i-- {
		for len(candidates) > 0 && v[candidates[len(candidates)-1]] <= v[i] {
			candidates = candidates[:len(candidates)-1]
		}
		candidates = append(candidates, i)
		if candidates[0] > i+ahead {
			candidates = candidates[1:]
		}
		out[i] = v[candidates[0]]
	}
	return out
}
