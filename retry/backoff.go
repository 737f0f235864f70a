package retry

import (
	"math/bits"
	"strings"
	"time"
)

// Backoff is the wait before try n+1 (n counts from 0): uniform between 0 and min(limit, base·2^n), both included, which
// is the "full jitter" of the AWS Architecture Blog. draw is 64 random bits. A base or limit that is not positive gives 0.
func Backoff(base, limit time.Duration, n int, draw uint64) time.Duration {
	if base <= 0 || limit <= 0 {
		return 0
	}
	top := limit
	if shift := max(n, 0); shift < 63 && base <= limit>>shift {
		top = base << shift
	}
	wait, _ := bits.Mul64(draw, uint64(top)+1)
	return time.Duration(wait)
}

// MaxParsedRetryAfter bounds what ParseRetryAfter returns.
const MaxParsedRetryAfter = 300 * time.Second

// ParseRetryAfter reads the value of a Retry-After header (RFC 9110, 10.2.3): seconds, or one of the three forms of an
// HTTP date. It returns at most 300 s, and 0 for a value that is empty, malformed or past.
func ParseRetryAfter(v string, now time.Time) time.Duration {
	v = strings.Trim(v, " \t")
	if v == "" {
		return 0
	}
	if v[0] >= '0' && v[0] <= '9' {
		return parseSeconds(v)
	}
	for _, layout := range [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if at, err := time.Parse(layout, v); err == nil {
			return min(max(at.Sub(now), 0), MaxParsedRetryAfter)
		}
	}
	return 0
}

func parseSeconds(v string) time.Duration {
	const limit = int(MaxParsedRetryAfter / time.Second)
	seconds := 0
	for i := range len(v) {
		if v[i] < '0' || v[i] > '9' {
			return 0
		}
		seconds = min(seconds*10+int(v[i]-'0'), limit)
	}
	return time.Duration(seconds) * time.Second
}
