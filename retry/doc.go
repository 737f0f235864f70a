// Package retry decides whether a failed attempt is made again, when, and how many such attempts are bearable.
//
// # Three parts
//
// Policy.Decide is a pure function: from how an attempt ended it says whether to try again, after what wait, and which
// rule bound. Feeding recorded Inputs back gives the same Decision, so a record can explain itself.
//
// Budget bounds the retries of all exchanges together: 20 % of the requests plus 10 per second by default. A retry is
// charged when it is decided, not when it is sent, so retries that wait for their backoff count. When everything fails,
// retries then add a fifth to the load instead of multiplying it.
//
// Backoff is the full-jitter exponential wait, and ParseRetryAfter reads what a server asks for.
//
// # Rules, in this order
//
//  1. An attempt that was answered, or whose client left, is final; so is a status the policy does not list.
//  2. No more than Attempts extra tries.
//  3. A request that has been sent, wholly or partly, needs a body that is still held.
//  4. A request that may have reached the instance is sent again only when it is idempotent (or the policy says
//     NonIdempotent). An unreachable instance has received nothing, so this never binds there.
//  5. On another instance there is no wait. On the same one the wait is the backoff, on top of what the instance asked
//     for with Retry-After; when it asked for more than MaxRetryAfter, its answer is final.
//  6. The wait must end before the exchange's deadline.
//  7. The budget must have room. It is asked last, so that only retries that will happen are charged.
//
// The package does no I/O, starts nothing, keeps no time of its own, and never logs.
package retry
