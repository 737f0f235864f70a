package loadtest

import (
	"sync/atomic"
	"time"

	"holdfast/loadtest/histogram"
)

// maxStatus is one more than the largest status that is counted by itself.
const maxStatus = 600

// cell counts the requests of one endpoint in one phase, in one shard.
type cell struct {
	counts   [NumClasses]atomic.Int64
	response [NumClasses]atomic.Pointer[histogram.Histogram] // response times by class
	service  histogram.Histogram                             // of OK and Timeout
	timerLag histogram.Histogram
	wait     histogram.Histogram
	connect  histogram.Histogram
	statuses [maxStatus]atomic.Int32
	bytesIn  atomic.Int64
	bytesOut atomic.Int64
	again    atomic.Int64 // reconnects
	retry    atomic.Int64 // the longest Retry-After
}

// recorder takes in what became of requests. Users of different shards do not meet.
type recorder struct {
	shards    [][]atomic.Pointer[cell] // [shard][phase*endpoints+endpoint]
	endpoints int
	phases    int
}

func newRecorder(shards, phases, endpoints int) *recorder {
	r := &recorder{shards: make([][]atomic.Pointer[cell], shards), endpoints: endpoints, phases: phases}
	for i := range r.shards {
		r.shards[i] = make([]atomic.Pointer[cell], phases*endpoints)
	}
	return r
}

func (r *recorder) cell(s *Shot) *cell {
	p := &r.shards[s.User%len(r.shards)][s.phase*r.endpoints+s.Endpoint]
	if c := p.Load(); c != nil {
		return c
	}
	p.CompareAndSwap(nil, new(cell))
	return p.Load()
}

// record counts a request that is over.
func (r *recorder) record(s *Shot) {
	c := r.cell(s)
	c.counts[s.Class].Add(1)
	of(&c.response[s.Class]).Record(s.Response())
	if s.Class == NotSent {
		return
	}
	if d, ok := s.Service(); ok && (s.Class == OK || s.Class == Timeout) {
		c.service.Record(d)
	}
	lag := s.Dispatched - s.Planned
	c.timerLag.Record(lag - s.wait)
	if s.wait > 0 {
		c.wait.Record(s.wait)
	}
	c.notePerConnection(s)
	if s.Status > 0 {
		c.statuses[min(s.Status, maxStatus-1)].Add(1)
	}
	c.bytesIn.Add(s.BytesIn)
	c.bytesOut.Add(s.BytesOut)
}

// notePerConnection counts what most requests have nothing of.
func (c *cell) notePerConnection(s *Shot) {
	if s.Connected > 0 {
		c.connect.Record(s.Connected - s.Dispatched)
	}
	if s.Reconnects > 0 {
		c.again.Add(int64(s.Reconnects))
	}
	for longest := c.retry.Load(); int64(s.RetryAfter) > longest; longest = c.retry.Load() {
		if c.retry.CompareAndSwap(longest, int64(s.RetryAfter)) {
			break
		}
	}
}

func of(p *atomic.Pointer[histogram.Histogram]) *histogram.Histogram {
	if h := p.Load(); h != nil {
		return h
	}
	p.CompareAndSwap(nil, new(histogram.Histogram))
	return p.Load()
}

// all is a phase or endpoint that stands for each of them; measured is every phase but the warm-up.
const (
	all      = -1
	measured = -2
)

// summary folds the cells of a phase and an endpoint.
func (r *recorder) summary(phase, endpoint int) *Summary {
	sum := newSummary()
	for _, shard := range r.shards {
		for i := range shard {
			p, e := i/r.endpoints, i%r.endpoints
			if c := shard[i].Load(); c != nil && within(phase, p) && (endpoint == all || endpoint == e) {
				sum.tally(c)
				sum.add(c)
			}
		}
	}
	return sum
}

// tally folds of all cells what a point of the series needs.
func (r *recorder) tally() *Summary {
	sum := newSummary()
	for _, shard := range r.shards {
		for i := range shard {
			if c := shard[i].Load(); c != nil {
				sum.tally(c)
			}
		}
	}
	return sum
}

func within(phase, p int) bool {
	return phase == all || phase == measured && p > 0 || phase == p
}

// Summary is what became of a set of requests.
type Summary struct {
	// Response holds the response times of good answers and of timeouts.
	Response *histogram.Histogram
	// Service holds their service times.
	Service *histogram.Histogram
	// TimerLag and Wait are the two parts of the send lag; Wait has only requests that waited.
	TimerLag, Wait *histogram.Histogram
	// Connect holds how long opening a connection took, of the requests that needed one.
	Connect *histogram.Histogram
	// Counts and ByClass are by Class; a histogram that has nothing is nil. ByClass holds response times.
	Counts  [NumClasses]int64
	ByClass [NumClasses]*histogram.Histogram
	// Statuses counts answers; 599 holds all above it too.
	Statuses   map[int]int64
	BytesIn    int64
	BytesOut   int64
	Reconnects int64
	RetryAfter time.Duration // the longest an answer asked for
}

func newSummary() *Summary {
	return &Summary{
		Response: new(histogram.Histogram), Service: new(histogram.Histogram), TimerLag: new(histogram.Histogram),
		Wait: new(histogram.Histogram), Connect: new(histogram.Histogram), Statuses: map[int]int64{},
	}
}

// tally adds counts, response and service times, timer lag and bytes.
func (s *Summary) tally(c *cell) {
	for class := range Class(NumClasses) {
		s.Counts[class] += c.counts[class].Load()
		if h := c.response[class].Load(); h != nil && (class == OK || class == Timeout) {
			s.Response.Merge(h)
		}
	}
	s.Service.Merge(&c.service)
	s.TimerLag.Merge(&c.timerLag)
	s.BytesIn += c.bytesIn.Load()
}

// add adds everything else.
func (s *Summary) add(c *cell) {
	for class := range Class(NumClasses) {
		if h := c.response[class].Load(); h != nil {
			if s.ByClass[class] == nil {
				s.ByClass[class] = new(histogram.Histogram)
			}
			s.ByClass[class].Merge(h)
		}
	}
	s.Wait.Merge(&c.wait)
	s.Connect.Merge(&c.connect)
	for status := range c.statuses {
		if n := c.statuses[status].Load(); n > 0 {
			s.Statuses[status] += int64(n)
		}
	}
	s.BytesOut += c.bytesOut.Load()
	s.Reconnects += c.again.Load()
	s.RetryAfter = max(s.RetryAfter, time.Duration(c.retry.Load()))
}

// Planned is how many requests were to be sent, without those that a stop interrupted.
func (s *Summary) Planned() int64 { return s.Counts[OK] + s.Failures() }

// Failures is how many of them failed, not being sent among it.
func (s *Summary) Failures() int64 {
	var n int64
	for class, count := range s.Counts {
		if Class(class).Failure() {
			n += count
		}
	}
	return n
}

// Answered is how many got any answer.
func (s *Summary) Answered() int64 {
	var n int64
	for _, count := range s.Statuses {
		n += count
	}
	return n
}

// ErrorRatio is failures by planned requests, from 0 to 1.
func (s *Summary) ErrorRatio() float64 {
	if s.Planned() == 0 {
		return 0
	}
	return float64(s.Failures()) / float64(s.Planned())
}

// Unreachable says that requests were made and not one of them found a connection.
func (s *Summary) Unreachable() bool {
	var failed, tried int64
	for class, count := range s.Counts {
		if c := Class(class); c != NotSent && c != Interrupted {
			tried += count
			if c.unconnected() && !c.Own() {
				failed += count
			}
		}
	}
	return tried > 0 && failed == tried
}
