package simulate

import (
	"math"
	"math/rand/v2"
)

// fluid is requests as an amount.
type fluid struct {
	world   *World
	chance  *rand.Rand
	waiting float64
	erlang  map[[2]int]float64 // what the formula said, see waits
}

func newFluid(w *World, chance *rand.Rand) *fluid {
	return &fluid{world: w, chance: chance, erlang: map[[2]int]float64{}}
}

// advance simulates from now to until. power is what the slots can do together,
// in slots of speed 1. What they can do goes to those who
// wait first.
func (q *fluid) advance(now, until float64, slots int, power, rate float64, f *flow) {
	w, long := q.world, until-now
	if long <= 0 {
		return
	}
	service := w.Service.Seconds()
	if slots > 0 {
		service *= float64(slots) / power // of a slot of the mean speed
	}
	came := q.amount(rate * long)
	could := float64(slots) * long / service
	before := q.waiting
	served := min(before+came, could)
	left := before + came - served
	// Who would wait for longer than patience allows is lost, and who finds the
	// queue full.
	kept := min(left, float64(w.Queue), w.Patience.Seconds()*float64(slots)/service)
	if slots == 0 {
		kept = min(left, float64(w.Queue), w.Patience.Seconds()*rate)
	}
	q.waiting = kept
	f.offered += came
	f.served += served
	f.lose(left - kept)
	if came > 0 {
		f.last = until
	}
	f.inside += min(served*service, float64(slots)*long)
	f.queued += (before + kept) / 2 * long
	q.wait(served, (before+kept)/2, rate, service, slots, f)
}

// amount is the number of requests that come when mean are expected.
func (q *fluid) amount(mean float64) float64 {
	if q.world.ArrivalVariation == 0 || mean <= 0 {
		return mean
	}
	return max(0, mean+math.Sqrt(q.world.ArrivalVariation*mean)*q.chance.NormFloat64())
}

// wait says how long those that were served had waited: all for the backlog
// when there is one, else some as Erlang's formula has it.
func (q *fluid) wait(served, backlog, rate, service float64, slots int, f *flow) {
	if served <= 0 {
		return
	}
	w := q.world
	if backlog > 0 && slots > 0 {
		waited := backlog * service / float64(slots)
		if waited > w.MaxWait.Seconds() {
			f.late += served
		}
		f.responses.add(waited+service, served)
		return
	}
	share := 0.0
	if w.ArrivalVariation > 0 {
		share = q.waits(rate*service, service, slots)
	}
	f.late += share * served
	f.responses.add(service, served*0.8) // an exponential time has 1.6 means at its 80th percentile, 3 at its 95th
	f.responses.add(service*3, served*0.2)
}

// waits is the share of requests that wait longer than MaxWait when busy of n
// slots are, by Erlang C and the exponential excess of Allen and Cunneen. It is
// remembered to a tenth of a percent of the slots where all are the same.
func (q *fluid) waits(busy, service float64, n int) float64 {
	if busy >= float64(n) {
		return 1
	}
	key, even := [2]int{n, int(busy / float64(n) * 1000)}, !q.world.uneven()
	if share, ok := q.erlang[key]; ok && even {
		return share
	}
	b := 1.0
	for k := 1; k <= n; k++ {
		b = busy * b / (float64(k) + busy*b)
	}
	c := float64(n) * b / (float64(n) - busy*(1-b))
	v := (q.world.ArrivalVariation + q.world.ServiceVariation) / 2
	share := c * math.Exp(-(float64(n)-busy)*q.world.MaxWait.Seconds()/(service*v))
	if even {
		q.erlang[key] = share
	}
	return share
}
