package http1

import "time"

// rateGrace is how long a client may be slower than the least rate: a short
// stall is no attack.
const rateGrace = 5 * time.Second

// maxOwed is more than the other limits leave anybody.
const maxOwed = 24 * time.Hour

// Owed is how long a client may take altogether for bytes it owes, of which it
// has moved n so far, when it must move rate bytes a second on average. Only
// time counts in which it owes some: in which the rest of its request is
// waited for, or in which it does not take what there is of its answer. Zero
// and negative rates set no limit that is shorter than a day.
func Owed(n, rate int64) time.Duration {
	if rate <= 0 || n/rate >= int64(maxOwed/time.Second) {
		return maxOwed
	}
	const second = int64(time.Second) // n times that may overflow
	return max(rateGrace, time.Duration(n/rate*second+n%rate*second/rate))
}
