package autoscale

import "time"

// Integral averages a level over time, as it was at every moment and not only
// when somebody looked: exchanges in flight, the length of a queue. The zero
// value is at level 0 since the first call. It is for one goroutine.
type Integral struct {
	at    time.Time
	level float64
	sum   float64 // level times seconds
	begin time.Time
}

// Set says that the level is another one from now on.
func (i *Integral) Set(level float64, now time.Time) {
	i.advance(now)
	i.level = level
}

// Add changes the level by as much.
func (i *Integral) Add(change float64, now time.Time) { i.Set(i.level+change, now) }

// Turn returns the average since the last Turn, or since the first call, and
// begins anew. Where no time has passed it is the level.
func (i *Integral) Turn(now time.Time) float64 {
	i.advance(now)
	average := i.level
	if d := i.at.Sub(i.begin).Seconds(); d > 0 {
		average = i.sum / d
	}
	i.begin, i.sum = i.at, 0
	return average
}

func (i *Integral) advance(now time.Time) {
	if i.at.IsZero() {
		i.at, i.begin = now, now
		return
	}
	if now.After(i.at) {
		i.sum += i.level * now.Sub(i.at).Seconds()
		i.at = now
	}
}
