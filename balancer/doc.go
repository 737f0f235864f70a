// Package balancer chooses, for every attempt, the instance of a function that
// should serve it, and keeps the ones that fail out of the way.
//
// # Who decides
//
// A Balancer holds one set of instances. Three parties report on an instance
// and none can overrule another: the platform says whether it runs
// ([Balancer.SetLifecycle]), the prober whether its checks pass
// ([Balancer.SetHealth]), an operator or the scaler whether it drains
// ([Balancer.SetDraining]). The fourth party is the Balancer itself: it judges
// the results of real attempts ([Balancer.Observe]) and ejects what fails.
// Any party that says "down" wins. From the four follows one [Status]:
//
//	            checked and running
//	recovering ---------------------> active
//	   ^  ^                            |  |
//	   |  | undrained      drained,    |  | gone, checks fail,
//	   |  |                stopped     |  | ejected
//	   |  +------ inactive <-----------+  |
//	   |                                  v
//	   +------------------------------- failed
//
// A recovering instance either waits for its first check (no traffic) or is in
// slow start (a growing share of traffic). A return from failed always passes
// recovering, if only for an instant.
//
// # What each strategy promises
//
// Shares are of picks, among the instances available in one priority level.
// "By weight" means weight/sum of weights, where an instance in slow start
// counts with its reduced weight.
//
//   - RoundRobin: equal shares in turn. Weights are ignored; slow start is not.
//   - WeightedRoundRobin: by weight, exactly so in every cycle of
//     sum(weights)/gcd(weights) picks, and evenly interleaved within it.
//   - Random: by weight, on average.
//   - LeastConnections: the fewest attempts in flight per weight; ties go by
//     weight. So shares are by weight when idle, and in flight is by weight
//     under load.
//   - ResponseTime: the lowest peak-EWMA latency x (1 + in flight per relative
//     weight). Everything within a tenth of the lowest counts as a tie, and
//     ties go by weight. An instance that is k times slower gets one attempt
//     about every Decay x ln(k/0.1) until it is no longer slower.
//   - HealthBased: weight x [Score], drawn at random.
//   - P2C (the default): two distinct instances drawn by weight; the second
//     wins only if its cost (as ResponseTime) is lower by more than a tenth.
//     Equal instances therefore share by weight.
//   - Prequal: hot is who has more in flight (per weight) than HotQuantile of
//     the candidates. The lowest latency among the cold wins, or the fewest in
//     flight when all are hot; ties go by weight.
//   - ConsistentHash: one instance per key, keys spread by weight. A key moves
//     when its instance cannot take it, or holds more than HashBalanceFactor
//     times its fair part of what is in flight; only such keys move.
//
// LeastConnections, ResponseTime, HealthBased and Prequal look at every
// instance of a level of at most eight. In larger levels they look at eight
// drawn by weight, so that a pick costs the same at 10 and at 10,000 instances.
//
// # Latency
//
// The estimate of an instance is a peak-EWMA (as in Finagle): it jumps to a
// higher sample at once and falls with time constant Decay. A failure counts
// as a sample of FailurePenalty. While nothing is in flight the estimate falls
// towards the latency of the fastest instance, so that one slow answer long ago
// cannot starve an instance; once an attempt is under way it counts in full
// again until there is an answer, so that a returning instance gets one attempt
// to prove itself and not a herd.
//
// # Ejection
//
// An instance is ejected after ConsecutiveFailures in a row, at
// FailureRatePercent of at least MinRequests within Window, or when it is
// LatencyFactor times (and 50 ms) slower than the median of the others. It stays
// out for BaseTime x the number of recent ejections, up to MaxTime; the number
// falls by one for every BaseTime without ejection. It returns on probation: one
// failure among its next five attempts ejects it again. A passing check brings it
// back at once when the reason was that it could not be reached; never when it
// answered badly or slowly, or its answers broke off, since a check cannot see that.
//
// At most max(1, MaxPercent) of the instances are ejected, and never so many
// that fewer than MinHealthyPercent stay available; a refused ejection is an
// event. Hence a single instance is never ejected. An instance that fails takes
// the place of one that was only slow: a late answer is better than none.
//
// # When too few are left
//
// Priorities, and below them same zone, same region, elsewhere, form levels. A
// level with the share a of its instances available can carry min(1, factor x a)
// of the traffic, the next level takes the rest (Envoy's formula, factor 1.4). If all
// levels together carry less than everything, a level whose share is below
// PanicThreshold ignores health: panic, which is visible in every [Pick], in
// [Stats] and as an event. Instances that are gone, stopped, draining or
// spares are never used.
//
// # Time, concurrency, replay
//
// The package has no goroutines and reads no clock; everything due by time (an
// ejection's end, a slow-start step) happens at the first Pick or Stats after
// it. Pick works on an immutable view, swapped atomically; it takes no lock and
// allocates nothing. Each [Pick] keeps the inputs of its choice, and
// [Pick.Replay] feeds them to the same function the live choice used.
package balancer
