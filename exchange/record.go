package exchange

import (
	"net/netip"
	"time"

	"holdfast/balancer"
	"holdfast/retry"
)

// maxAttempts is how many attempts an exchange may make and a record holds:
// five retries, over all the functions it was handed to.
const maxAttempts = 6

// MaxRetries is the largest number of extra tries an exchange can make.
const MaxRetries = maxAttempts - 1

// Facts is what a record knows of an exchange besides its attempts.
type Facts struct {
	ID       Text64
	Method   Text16
	Host     Text64
	Path     Text128
	Client   netip.Addr
	Route    *Route
	Function *Function // the last one, where a fallback function answered
	policy   *Policy

	Start  time.Time
	Queued time.Duration // in the queue for a place
	Head   time.Duration // arrival to the answer's head
	Took   time.Duration // arrival to the end
	Bytes  int64         // of the answer's body
	Draw   uint64
	Key    uint64 // what consistent-hash went by

	Place          place
	Verdict        verdict
	BreakerAsked   bool
	BreakerAllowed bool
	Local          bool   // Holdfast answered itself
	Long           bool   // upgrade or stream
	N              uint8  // attempts made
	Joined         uint8  // attempts made before the fallback function took over
	Status         uint16 // what the client got; 499: it had left
	Reason         Reason // why it failed; ReasonNone when it did not
	Fallback       Reason // why the fallback function was asked
	Waited         Reason // what it waited for last
}

// Record is an exchange as it went: what was known, what was decided, what
// came of it. It has a fixed size and holds no memory of the request.
type Record struct {
	Facts
	Attempts [maxAttempts]AttemptRecord
}

// AttemptRecord is one attempt with the decisions before and after it.
type AttemptRecord struct {
	Instance *balancer.Instance
	Pick     balancer.Pick  // how the instance was chosen
	Retry    retry.Inputs   // what the retry rule looked at
	Decision retry.Decision // and what it said
	policy   *Policy        // in force when it said so
	Start    time.Duration  // since the exchange's start
	Head     time.Duration  // since the attempt's start; 0: no head came
	Took     time.Duration
	Status   uint16
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
func (f *Facts) Slow() bool {
	return f.policy != nil && !f.Long && f.Head >= f.policy.Slow
}

func (r *Record) note(q *Request) {
	r.ID.set(q.ID)
	r.Method.set(q.Method)
	r.Host.set(q.Host)
	r.Path.set(q.Path)
	r.Client, r.Draw = q.Client, q.Draw
}

// clear empties the part of the record that was used.
func (r *Record) clear() {
	clear(r.Attempts[:min(int(r.N)+1, maxAttempts)])
	r.Facts = Facts{}
}
