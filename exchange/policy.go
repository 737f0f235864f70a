package exchange

import (
	"fmt"
	"time"

	"holdfast/retry"
)

// Policy is what a function's exchanges go by. It is read-only once it has been
// given to a function; an exchange keeps the policy it began with.
type Policy struct {
	Retry    retry.Policy
	Timeouts Timeouts
	Affinity Affinity
	// Hash says what consistent-hash looks at; without it, the affinity's
	// session, else the path.
	Hash Hash
	// MaxInFlight bounds the exchanges of the function; 0: no bound.
	MaxInFlight int
	// QueueSize is how many exchanges wait when MaxInFlight is reached.
	QueueSize    int
	QueueTimeout time.Duration // default 1 s
	// WaitForInstance is how long a request is held while no instance takes
	// traffic yet but one is on its way; 0: not at all.
	WaitForInstance time.Duration
	// Managed: a platform starts the instances, so one that is gone comes back.
	Managed bool
	// Slow is the time to the head from which a record is kept as slow;
	// default 1 s.
	Slow     time.Duration
	Fallback *Fallback // nil: a plain 503
}

// Hash names the part of a request that decides its instance under the
// strategy consistent-hash. The first one set counts.
type Hash struct {
	Header   string
	Cookie   string
	ClientIP bool
	Path     bool
}

// Timeouts bound the parts of an exchange; 0 takes the default.
type Timeouts struct {
	Connect  time.Duration // a connection to an instance: 2 s
	Attempt  time.Duration // from sending to the answer's head: 30 s
	Exchange time.Duration // from arrival to the relayed head, waits and tries included: 60 s
	Idle     time.Duration // no byte in either direction once the head is relayed: 5 min
}

// maxWaiting bounds the exchanges of a function that wait for an instance or a
// probe, where the queue has no size of its own to bound them.
const maxWaiting = 4096

func (p Policy) withDefaults() Policy {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&p.Timeouts.Connect, 2*time.Second)
	set(&p.Timeouts.Attempt, 30*time.Second)
	set(&p.Timeouts.Exchange, 60*time.Second)
	set(&p.Timeouts.Idle, 5*time.Minute)
	set(&p.QueueTimeout, time.Second)
	set(&p.Slow, time.Second)
	set(&p.Affinity.TTL, time.Hour)
	return p
}

func (p Policy) validate() error {
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"timeouts.connect", p.Timeouts.Connect}, {"timeouts.attempt", p.Timeouts.Attempt},
		{"timeouts.exchange", p.Timeouts.Exchange}, {"timeouts.idle", p.Timeouts.Idle},
		{"queue timeout", p.QueueTimeout}, {"wait_for_instance", p.WaitForInstance}, {"affinity ttl", p.Affinity.TTL},
	} {
		if d.v < 0 {
			return fmt.Errorf("%s is negative: %v", d.name, d.v)
		}
	}
	if p.MaxInFlight < 0 || p.QueueSize < 0 {
		return fmt.Errorf("max_in_flight %d and queue size %d must not be negative", p.MaxInFlight, p.QueueSize)
	}
	if err := p.Affinity.validate(); err != nil {
		return err
	}
	return p.Retry.Validate()
}
