package traces

import (
	"sync"
	"time"

	"holdfast/exchange"
	"holdfast/internal/telemetry"
)

// exemplars keeps the latest of each function and power of two of the latency, so
// that slow ones are not pushed out by the many fast ones.
type exemplars struct {
	mu   sync.Mutex
	last map[string]*[powers]telemetry.Exemplar
}

const powers = 64

func (e *exemplars) note(r *exchange.Record) {
	latency, counts := r.Latency()
	if !counts || r.Function == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		e.last = map[string]*[powers]telemetry.Exemplar{}
	}
	of := e.last[r.Function.Name()]
	if of == nil {
		of = new([powers]telemetry.Exemplar)
		e.last[r.Function.Name()] = of
	}
	of[power(latency)] = telemetry.Exemplar{Trace: r.Trace.ID, Latency: latency, At: r.Start.Add(r.Took)}
}

func power(d time.Duration) (n int) {
	for ; d > 1 && n < powers-1; d >>= 1 {
		n++
	}
	return n
}

// exemplarAge is how old an example may be.
const exemplarAge = 15 * time.Minute

// Exemplars returns those of a function, quickest first, that are not older than 15
// minutes.
func (t *Traces) Exemplars(function string, now time.Time) []telemetry.Exemplar {
	e := &t.exemplars
	e.mu.Lock()
	defer e.mu.Unlock()
	of := e.last[function]
	if of == nil {
		return nil
	}
	var list []telemetry.Exemplar
	for _, x := range of {
		if !x.At.IsZero() && now.Sub(x.At) <= exemplarAge {
			list = append(list, x)
		}
	}
	return list
}
