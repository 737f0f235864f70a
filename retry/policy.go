package retry

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// MaxAttempts is the largest number of extra tries a policy may allow.
const MaxAttempts = 10

// Defaults of a Policy.
const (
	DefaultAttempts      = 2
	DefaultBaseDelay     = 25 * time.Millisecond
	DefaultMaxDelay      = 250 * time.Millisecond
	DefaultMaxRetryAfter = 5 * time.Second
)

// Policy says what is tried again. The zero value retries nothing; DefaultPolicy retries twice.
type Policy struct {
	// Attempts is how many extra tries an exchange gets, after its first attempt. 0 is none, at most 10.
	Attempts int
	// BaseDelay is the bound of the first wait; it doubles with every further try. 0 is 25 ms, at most an hour.
	BaseDelay time.Duration
	// MaxDelay bounds every wait but one a server asked for. 0 is ten times BaseDelay.
	MaxDelay time.Duration
	// Statuses are the answers that are tried again, 400 to 599. nil is 500, 502, 503 and 504; an empty list is none.
	Statuses []int
	// NonIdempotent allows to repeat requests that may have been processed already, such as a POST.
	NonIdempotent bool
	// MaxRetryAfter is the longest Retry-After that is waited for; a longer one makes the answer final. 0 is 5 s.
	MaxRetryAfter time.Duration
}

// DefaultPolicy returns the default: two extra tries.
func DefaultPolicy() Policy {
	return Policy{
		Attempts: DefaultAttempts, BaseDelay: DefaultBaseDelay, MaxDelay: DefaultMaxDelay,
		Statuses: []int{500, 502, 503, 504}, MaxRetryAfter: DefaultMaxRetryAfter,
	}
}

// Validate names the first field that is wrong.
func (p *Policy) Validate() error {
	switch {
	case p.Attempts < 0 || p.Attempts > MaxAttempts:
		return fmt.Errorf("retry policy: Attempts %d: want 0 to %d", p.Attempts, MaxAttempts)
	case p.BaseDelay < 0 || p.BaseDelay > time.Hour:
		return fmt.Errorf("retry policy: BaseDelay %s: want 0 to 1h", p.BaseDelay)
	case p.MaxDelay < 0:
		return fmt.Errorf("retry policy: MaxDelay %s: must not be negative", p.MaxDelay)
	case p.maxDelay() < p.baseDelay():
		return fmt.Errorf("retry policy: MaxDelay %s: must not be less than BaseDelay %s", p.maxDelay(), p.baseDelay())
	case p.MaxRetryAfter < 0:
		return fmt.Errorf("retry policy: MaxRetryAfter %s: must not be negative", p.MaxRetryAfter)
	}
	for _, status := range p.Statuses {
		if status < 400 || status > 599 {
			return fmt.Errorf("retry policy: Statuses %d: want 400 to 599", status)
		}
	}
	return nil
}

func (p *Policy) baseDelay() time.Duration     { return cmp.Or(p.BaseDelay, DefaultBaseDelay) }
func (p *Policy) maxDelay() time.Duration      { return cmp.Or(p.MaxDelay, 10*p.baseDelay()) }
func (p *Policy) maxRetryAfter() time.Duration { return cmp.Or(p.MaxRetryAfter, DefaultMaxRetryAfter) }

func (p *Policy) retries(status int) bool {
	if p.Statuses == nil {
		return status == 500 || status == 502 || status == 503 || status == 504
	}
	return slices.Contains(p.Statuses, status)
}

// Idempotent reports whether a request may be processed twice: by its method (RFC 9110, 9.2.2; methods are
// case-sensitive), or because an Idempotency-Key lets the server recognise the second one.
func Idempotent(method string, hasIdempotencyKey bool) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return hasIdempotencyKey
}
