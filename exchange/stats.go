package exchange

import (
	"sync/atomic"
	"time"
)

// Stats counts what happened to a function's exchanges since the start.
// Counters only grow, so that whoever reads them can take differences.
type Stats struct {
	// Exchanges by status class; 0 stands for client gone. Where the function
	// gave no answer the class is that of the reason, mostly 5, whatever a static
	// fallback said; an exchange handed to a fallback function counts at both.
	Exchanges [6]atomic.Uint64
	Reasons   [reasonCount]atomic.Uint64 // of the same exchanges
	Attempts  atomic.Uint64
	Retries   atomic.Uint64 // of the attempts
	Fallbacks atomic.Uint64
	Bytes     atomic.Uint64 // of answer bodies
	// Latency to the head where an instance was asked, less the time spent waiting
	// for the client's body; long answers and those whose client left are not in
	// it.
	Latency Histogram
	// ColdStarts are the times from the first request that found no instance
	// taking traffic until one did, where Policy.ColdStart is set; Held counts the
	// requests that waited for that and were sent then.
	ColdStarts Histogram
	Held       atomic.Uint64
	last       atomic.Int64
}

// LastRequest returns when the latest exchange began; zero if there was none.
func (s *Stats) LastRequest() time.Time {
	if ns := s.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// end counts an exchange that is over for the function.
func (s *Stats) end(r Reason, status int) {
	class := status / 100
	if r.byClient() || class > 5 {
		class = 0
	}
	s.Exchanges[class].Add(1)
	s.Reasons[r].Add(1)
}
