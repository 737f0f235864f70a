package exchange

import (
	"fmt"
	"net/textproto"
	"slices"
	"time"

	"holdfast/retry"
)

// Policy is what a function's exchanges go by. It is read-only once it has been
// given to a function; an exchange keeps the policy it began with.
type Policy struct {
	// Retry may have at most MaxRetries Attempts. The zero value retries nothing.
	Retry    retry.Policy
	Timeouts Timeouts
	Affinity Affinity
	// Hash says what the strategy consistent-hash looks at; without it, the
	// affinity's session, else the path.
	Hash Hash
	// MaxInFlight bounds the exchanges of the function; 0: no bound.
	MaxInFlight int
	// QueueSize is how many exchanges wait when MaxInFlight is reached.
	QueueSize    int
	QueueTimeout time.Duration // default 1 s
	// WaitForInstance is how long a request is held before an attempt while no
	// instance takes traffic yet but one is on its way, while all are full, or
	// while the probes of a half-open breaker are under way; 0: not at all.
	WaitForInstance time.Duration
	// ColdStart replaces WaitForInstance, where that is shorter, while a function
	// that may have no instance waits for one to start: it is how long that takes
	// at most. It counts from the first request that found nobody, so that those
	// that come after a start has failed are not held for long. 0: the function
	// always has instances.
	ColdStart time.Duration
	// Managed: a platform starts the instances, so one that is gone comes back.
	Managed bool
	// Slow is the time to the head from which a record is kept as slow;
	// default 1 s.
	Slow     time.Duration
	Fallback *Fallback // nil: a plain 503
}

// Hash names the part of a request that decides its instance under the
// strategy consistent-hash. The first one set counts; a request without it goes
// anywhere.
type Hash struct {
	Header   string
	Cookie   string
	ClientIP bool
	Path     bool
}

// Timeouts bound the parts of an exchange; 0 takes the default. The time spent
// waiting for the client's body counts towards Idle only.
type Timeouts struct {
	Connect  time.Duration // a connection to an instance: 2 s
	Attempt  time.Duration // from sending to the answer's head: 30 s
	Exchange time.Duration // from arrival to the relayed head, waits and tries included: 60 s
	Idle     time.Duration // no byte in either direction once the head is relayed: 5 min
}

const defaultIdle = 5 * time.Minute

func (p *Policy) withDefaults() Policy {
	c := *p
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.Timeouts.Connect, 2*time.Second)
	set(&c.Timeouts.Attempt, 30*time.Second)
	set(&c.Timeouts.Exchange, 60*time.Second)
	set(&c.Timeouts.Idle, defaultIdle)
	set(&c.QueueTimeout, time.Second)
	set(&c.Slow, time.Second)
	set(&c.Affinity.TTL, time.Hour)
	c.Retry.Statuses = slices.Clone(c.Retry.Statuses)
	c.Affinity.Header = textproto.CanonicalMIMEHeaderKey(c.Affinity.Header)
	c.Hash.Header = textproto.CanonicalMIMEHeaderKey(c.Hash.Header)
	return c
}

// validate names the first field that is wrong.
func (p *Policy) validate() error {
	for _, d := range []struct {
		name string
		v    time.Duration
	}{
		{"timeouts.connect", p.Timeouts.Connect},
		{"timeouts.attempt", p.Timeouts.Attempt},
		{"timeouts.exchange", p.Timeouts.Exchange},
		{"timeouts.idle", p.Timeouts.Idle},
		{"queue timeout", p.QueueTimeout},
		{"wait_for_instance", p.WaitForInstance},
		{"cold start", p.ColdStart},
		{"affinity ttl", p.Affinity.TTL},
		{"slow", p.Slow},
	} {
		if d.v < 0 {
			return fmt.Errorf("%s is negative: %v", d.name, d.v)
		}
	}
	if p.MaxInFlight < 0 || p.QueueSize < 0 {
		return fmt.Errorf("max_in_flight %d and queue size %d must not be negative", p.MaxInFlight, p.QueueSize)
	}
	if p.Retry.Attempts > MaxRetries {
		return fmt.Errorf("retry attempts %d: an exchange makes at most %d extra tries", p.Retry.Attempts, MaxRetries)
	}
	if err := p.Affinity.validate(); err != nil {
		return err
	}
	return p.Retry.Validate()
}
