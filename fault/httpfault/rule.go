package httpfault

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/fault"
)

// Kind is what happens to a request or its answer.
type Kind uint8

// The kinds; the package comment says what they do. The zero Kind is none and refused.
const (
	Status Kind = iota + 1
	Delay
	Reset
	Lost
	Truncate
	BrokenChunk
	WrongLength
	Garbage
	Close
)

var kindNames = [...]string{"none", "status", "delay", "reset", "lost", "truncate", "broken-chunk", "wrong-length", "garbage", "close"}

// String is the name as [Parse] reads it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Rule is a fault and the requests it is for. What is not of its kind must be zero.
type Rule struct { //nolint:recvcheck // UnmarshalText has to have a pointer, all else is a value
	Method string // "": any
	Path   string // "": any; "/orders/*": all that begin with /orders/; else this one; without the query

	Percent float64 // of these requests; 0 means all, like 100
	Every   int     // instead of Percent: exactly every so manieth

	Kind       Kind
	Status     int           // Status: 200 to 599
	RetryAfter time.Duration // Status: sent in seconds, rounded up; 0: not sent
	Delay      fault.Delay   // Delay
	Bytes      int64         // Truncate, BrokenChunk: of the body that pass; WrongLength: too many, or too few; Garbage: random bytes
}

const maxGarbage = 8 << 10

var (
	errKind    = errors.New("the kind is unknown: use status, delay, reset, lost, truncate, broken-chunk, wrong-length, garbage or close")
	errShare   = errors.New("the share must be more than 0% and at most 100%, or like 1/3")
	errStatus  = errors.New("status needs a number from 200 to 599, as in status=503")
	errRetry   = errors.New("the Retry-After of status must lie between 0 and 24h, as in status=429/2s")
	errDelay   = errors.New("delay needs a time, as in delay=200ms~50ms")
	errBytes   = errors.New("a size must lie between 0 and 1024TiB")
	errLength  = errors.New("wrong-length needs the difference, as in wrong-length=-10 or wrong-length=+10")
	errGarbage = errors.New("garbage needs a size from 1B to 8KiB, as in garbage=32B")
	errExtra   = errors.New("it has a value that its kind does not know")
	errRoute   = errors.New(`a route is a method, a path, or both, as in "POST /orders/*"`)
)

// Check says what is wrong with a rule; it names the rule.
func (r Rule) Check() error {
	if err := cmp.Or(r.checkShared(), r.checkKind()); err != nil {
		return fmt.Errorf("check rule %s: %w", r, err)
	}
	return nil
}

func (r Rule) checkShared() error {
	switch {
	case !(r.Percent >= 0 && r.Percent <= 100), r.Every < 0, r.Every != 0 && r.Percent != 0: // NaN too
		return errShare
	case !validMethod(r.Method), r.Path != "" && !validPath(r.Path):
		return errRoute
	case r.Kind != Status && (r.Status != 0 || r.RetryAfter != 0),
		r.Kind != Delay && r.Delay != (fault.Delay{}),
		(r.Kind < Truncate || r.Kind == Close) && r.Bytes != 0:
		return errExtra
	case r.Kind != WrongLength && r.Bytes < 0, r.Bytes > fault.MaxBytes, r.Bytes < -fault.MaxBytes:
		return errBytes
	}
	return nil
}

func (r Rule) checkKind() error {
	switch r.Kind {
	case Status:
		if r.Status < 200 || r.Status > 599 {
			return errStatus
		}
		if r.RetryAfter < 0 || r.RetryAfter > fault.MaxDelay {
			return errRetry
		}
		return nil
	case Delay:
		if r.Delay == (fault.Delay{}) {
			return errDelay
		}
		return r.Delay.Check()
	case WrongLength:
		if r.Bytes == 0 {
			return errLength
		}
		return nil
	case Garbage:
		if r.Bytes < 1 || r.Bytes > maxGarbage {
			return errGarbage
		}
		return nil
	case Reset, Lost, Truncate, BrokenChunk, Close:
		return nil
	}
	return errKind
}

func validMethod(m string) bool {
	for i := range len(m) {
		if m[i] < 'A' || m[i] > 'Z' {
			return false
		}
	}
	return len(m) <= 24
}

// validPath takes what the text of a rule can hold.
func validPath(p string) bool {
	for i := range len(p) {
		if c := p[i]; c <= ' ' || c == 0x7f || strings.IndexByte(";,:?#", c) >= 0 {
			return false
		}
	}
	return p[0] == '/'
}

// covers says whether a rule is about a request.
func (r Rule) covers(method, path string) bool {
	if r.Method != "" && r.Method != method {
		return false
	}
	if prefix, ok := strings.CutSuffix(r.Path, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return r.Path == "" || r.Path == path
}

// strikes decides for the nth request that a rule covers, from 1.
func (r Rule) strikes(seed, n uint64) bool {
	if r.Every > 0 {
		return n%uint64(r.Every) == 0
	}
	return fault.Strikes(r.Percent, fault.Dice(seed, n, r.String()))
}
