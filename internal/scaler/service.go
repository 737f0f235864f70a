package scaler

import (
	"slices"
	"time"

	"holdfast/exchange"
)

// serviceTime estimates how long an instance takes for a request when it has
// nothing else to do: the quarter of the last hour's pieces with the shortest
// mean, at its upper end. Under load requests wait for each other inside the
// instances, which makes means longer and never shorter.
type serviceTime struct {
	since   exchange.HistogramSnapshot // where the present piece began
	begun   time.Time
	means   [pieces]time.Duration // a ring
	n       int                   // that were ever put in
	version time.Time             // when the version came that this is about
	guess   time.Duration         // 0: nobody knows yet
}

const (
	// piece is how long requests are put together, pieces how many make an hour.
	piece  = 15 * time.Second
	pieces = 240
	// enoughRequests make a piece count, enoughPieces an estimate.
	enoughRequests = 10
	enoughPieces   = 4
)

// look takes note of what the function did until now. A new version is another
// program: what was known of the old one is forgotten.
func (s *serviceTime) look(h *exchange.Histogram, version, now time.Time) {
	if s.begun.IsZero() || !version.Equal(s.version) {
		*s = serviceTime{since: h.Snapshot(), begun: now, version: version}
		return
	}
	if now.Sub(s.begun) < piece {
		return
	}
	snapshot := h.Snapshot()
	added := snapshot.Sub(s.since)
	s.since, s.begun = snapshot, now
	if added.Count >= enoughRequests {
		s.means[s.n%pieces] = added.Sum / time.Duration(added.Count)
		s.n++
	}
	if s.n >= enoughPieces {
		known := slices.Clone(s.means[:min(s.n, pieces)])
		slices.Sort(known)
		s.guess = known[(len(known)-1)/4]
	}
}
