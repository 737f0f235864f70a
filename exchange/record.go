package exchange

import (
	"net/netip"
	"time"

	"holdfast/balancer"
	"holdfast/retry"
)

const (
	// MaxRetries is the largest number of extra tries a function may allow.
	MaxRetries = 5
	// maxAttempts is how many attempts an exchange makes over all functions it
	// comes to: the first one's, and two for those it falls back to.
	maxAttempts = 1 + MaxRetries + 2
	maxVisits   = 1 + maxFallbacks
)

// Facts is what a record knows of an exchange besides its attempts.
type Facts struct {
	ID       Text64
	Method   Text16
	Host     Text64
	Path     Text128
	Client   netip.Addr
	Trace    Trace // zero: in none
	Route    *Route
	Function *Function // the last one, where a fallback function answered
	Visits   [maxVisits]Visit

	Seq    uint64 // counts the exchanges of a machine, in the order they end, from 1
	Start  time.Time
	Queued time.Duration // in queues for a place
	Head   time.Duration // arrival to the answer's head
	Took   time.Duration // arrival to the end
	Bytes  int64         // of the answer's body
	Draw   uint64
	Key    uint64 // what consistent-hash went by

	V        uint8 // functions it came to
	N        uint8 // attempts made
	Local    bool  // Holdfast answered itself
	Long     bool  // upgrade or stream
	Secure   bool  // the client used https
	slow     bool
	used     uint8  // places in Attempts written to
	Status   uint16 // what the client got; 499: it had left
	Reason   Reason // why it failed; ReasonNone when it did not
	Fallback Reason // why a fallback function was asked, the last one
}

// Visit is what the gates of one function said.
type Visit struct {
	Function       *Function
	Place          Place
	Queued         time.Duration
	Verdict        Verdict
	BreakerAsked   bool
	BreakerAllowed bool
	Waited         Reason        // for what it was held last: a probe or an instance
	Cold           time.Duration // held because no instance took traffic and one had to start
	First          uint8         // attempts made before it
	Left           Reason        // why the exchange was handed on; ReasonNone: it was not
}

// Record is an exchange as it went: what was known, what was decided, what
// came of it. It has a fixed size and holds no memory of the request or the
// exchange; it may be copied.
type Record struct {
	Facts
	Attempts [maxAttempts]AttemptRecord
}

// AttemptRecord is one attempt with the decisions before and after it.
type AttemptRecord struct {
	Instance *balancer.Instance
	Pick     balancer.Pick  // how the instance was chosen
	Retry    retry.Inputs   // what the retry rule looked at
	Decision retry.Decision // and what it said; zero: it was not asked
	policy   *retry.Policy  // in force when it said so
	Start    time.Duration  // since the exchange's start
	Head     time.Duration  // since the attempt's start, when Status is set
	Took     time.Duration
	Upload   time.Duration // of Head, or of Took without one: waiting for the client's body
	Status   uint16        // 0: no head came
	Kind     retry.Kind
	Reason   Reason
	Sent     bool
	Long     bool
}

// Failed says whether the client did not get an instance's good answer.
func (f *Facts) Failed() bool {
	return f.Reason != ReasonNone || f.Local || f.Status >= 500
}

// Slow says whether the head took longer than the policy calls slow.
func (f *Facts) Slow() bool { return f.slow }

// FunctionOf returns the function that made attempt n, counted from 0.
func (f *Facts) FunctionOf(n int) *Function {
	fn := f.Function
	for k := range f.Visits[:f.V] {
		if int(f.Visits[k].First) <= n {
			fn = f.Visits[k].Function
		}
	}
	return fn
}

// visit begins the visit to a function.
func (r *Record) visit(f *Function) {
	r.Function = f
	r.Visits[r.V] = Visit{Function: f, First: r.N}
	r.V++
}

// at is the visit under way.
func (r *Record) at() *Visit { return &r.Visits[r.V-1] }

func (r *Record) note(q *Request) {
	r.ID.set(q.ID)
	r.Method.set(q.Method)
	r.Host.set(q.Host)
	r.Path.set(q.Path)
	r.Client, r.Draw, r.Secure = q.Client, q.Draw, q.Secure
}

// clear empties the part of the record that was used.
func (r *Record) clear() {
	clear(r.Attempts[:r.used])
	r.Facts = Facts{}
}
