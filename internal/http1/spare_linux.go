package http1

// trimEvery is how long what is spare must not have been needed before half of
// it is let go.
const trimEvery = 10 // sweeps, so seconds

// spares are kept for later by one loop. A burst leaves many of them; what none
// of the next seconds needs goes to the garbage collector, or the largest burst
// there ever was would stay in memory for good. The zero value is empty.
type spares[T any] struct {
	free  []T
	least int // free at once since the last trim
}

// take returns one, if there is any.
func (s *spares[T]) take() (v T, found bool) {
	n := len(s.free) - 1
	if n < 0 {
		return v, false
	}
	s.free[n], v = v, s.free[n]
	s.free, s.least = s.free[:n], min(s.least, n)
	return v, true
}

// put keeps v, unless there are most already.
func (s *spares[T]) put(v T, most int) {
	if len(s.free) < most {
		s.free = append(s.free, v)
	}
}

// trim lets half of those go that were not needed since the last trim, at least
// one.
func (s *spares[T]) trim() {
	n := len(s.free) - (s.least+1)/2
	clear(s.free[n:])
	s.free, s.least = s.free[:n], n
}
