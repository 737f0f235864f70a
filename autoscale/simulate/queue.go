package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// queue is one queue before all slots, with every request in it.
type queue struct {
	world   *World
	chance  *rand.Rand
	mean    float64   // service time
	late    float64   // waits that are longer are
	patient float64   // for so long
	sigma   float64   // of the logarithm of service times; 0: exponential, or constant
	next    float64   // until the next request, in mean distances
	busy    []task    // requests under way, a heap
	waiting []float64 // since when, in order
	head    int       // of waiting

	// Where slots differ: the speed of each, of those that are free, and what one
	// of them is chosen by.
	speeds, free []float64
	choice       *rand.Rand
}

// task is a request under way: when it ends, and how fast its slot is.
type task struct{ end, speed float64 }

func newQueue(w *World, chance, choice *rand.Rand) *queue {
	q := &queue{world: w, chance: chance, choice: choice, mean: w.Service.Seconds(), late: w.MaxWait.Seconds(), patient: w.Patience.Seconds()}
	if v := w.ServiceVariation; v != 1 && v > 0 {
		q.sigma = math.Sqrt(math.Log(1 + v))
	}
	q.next = q.distance()
	return q
}

// distance is the time between two requests in units of its mean: exponential,
// or of two exponential phases with balanced means.
func (q *queue) distance() float64 {
	d := q.chance.ExpFloat64()
	v := q.world.ArrivalVariation
	if v <= 1 {
		return d
	}
	p := (1 + math.Sqrt((v-1)/(v+1))) / 2
	if q.chance.Float64() < p {
		return d / (2 * p)
	}
	return d / (2 * (1 - p))
}

func (q *queue) service() float64 {
	switch {
	case q.sigma > 0:
		return q.mean * math.Exp(q.sigma*q.chance.NormFloat64()-q.sigma*q.sigma/2)
	case q.world.ServiceVariation == 0:
		return q.mean
	}
	return q.mean * q.chance.ExpFloat64()
}

// advance simulates from now to until with slots slots and a rate of requests.
func (q *queue) advance(now, until float64, slots int, rate float64, f *flow) {
	q.fill(now, slots, f)
	for now < until {
		arrival, end := math.Inf(1), math.Inf(1)
		if rate > 0 {
			arrival = now + q.next/rate
		}
		if len(q.busy) > 0 {
			end = q.busy[0].end
		}
		at := min(arrival, end, until)
		f.inside += float64(len(q.busy)) * (at - now)
		f.queued += float64(q.length()) * (at - now)
		q.next -= rate * (at - now)
		now = at
		switch at {
		case end:
			q.pop()
			f.served++
			q.fill(now, slots, f)
		case arrival:
			q.next = q.distance()
			q.arrive(now, slots, f)
		}
	}
	q.abandon(until, f)
}

func (q *queue) length() int { return len(q.waiting) - q.head }

func (q *queue) arrive(now float64, slots int, f *flow) {
	f.offered++
	f.last = now
	switch {
	case len(q.busy) < slots && q.length() == 0:
		q.start(now, 0, f)
	case q.length() < q.world.Queue:
		q.waiting = append(q.waiting, now)
	default:
		f.lose(1)
	}
}

// fill gives free slots to those who wait.
func (q *queue) fill(now float64, slots int, f *flow) {
	q.abandon(now, f)
	for len(q.busy) < slots && q.length() > 0 {
		q.start(now, now-q.waiting[q.head], f)
		q.head++
	}
	if q.head > 1024 && q.head > len(q.waiting)/2 {
		q.waiting = append(q.waiting[:0], q.waiting[q.head:]...)
		q.head = 0
	}
}

// abandon lets go those whose patience is over. They are in order, so only the
// first ones can be.
func (q *queue) abandon(now float64, f *flow) {
	for q.length() > 0 && now-q.waiting[q.head] > q.patient {
		q.head++
		f.lose(1)
	}
}

func (q *queue) start(now, waited float64, f *flow) {
	t := task{speed: q.choose()}
	took := q.service() / t.speed
	t.end = now + took
	q.push(t)
	if waited > q.late {
		f.late++
	}
	f.responses.add(waited+took, 1)
}

// age is how long the first one has waited.
func (q *queue) age(now float64) float64 {
	if q.length() == 0 {
		return 0
	}
	return now - q.waiting[q.head]
}

// take takes over what the fluid left, and give leaves it an amount.
func (q *queue) take(now, under, backlog, patience float64) {
	q.busy, q.waiting, q.head = q.busy[:0], q.waiting[:0], 0
	for range int(math.Round(under)) {
		q.push(task{now + q.service(), 1})
	}
	n := int(math.Round(backlog))
	for i := range n { // evenly since the oldest that may still be there
		q.waiting = append(q.waiting, now-patience*float64(n-i)/float64(n+1))
	}
}

// lanes says how fast the slots are from now on.
func (q *queue) lanes(speeds []float64) {
	if slices.Equal(speeds, q.speeds) {
		return
	}
	q.speeds = append(q.speeds[:0], speeds...)
	q.free = append(q.free[:0], speeds...)
	for _, t := range q.busy {
		q.free = without(q.free, t.speed)
	}
}

// choose takes a free slot: any, as a balancer does that knows who is busy, not
// how fast they are.
func (q *queue) choose() float64 {
	if len(q.free) == 0 {
		return 1
	}
	at := q.choice.IntN(len(q.free))
	speed := q.free[at]
	q.free[at] = q.free[len(q.free)-1]
	q.free = q.free[:len(q.free)-1]
	return speed
}

// without takes a speed out of a list, if it is in it.
func without(list []float64, speed float64) []float64 {
	if at := slices.Index(list, speed); at >= 0 {
		return slices.Delete(list, at, at+1)
	}
	return list
}

func (q *queue) push(v task) {
	h := append(q.busy, v)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].end <= h[i].end {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
	q.busy = h
}

func (q *queue) pop() {
	h := q.busy
	n := len(h) - 1
	if len(q.speeds) > 0 && slices.Contains(q.speeds, h[0].speed) { // else it is being drained
		q.free = append(q.free, h[0].speed)
	}
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && h[down+1].end < h[down].end {
			down++
		}
		if h[i].end <= h[down].end {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	q.busy = h
}
