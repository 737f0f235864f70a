// Package simulate rehearses autoscaling policies on recorded demand. The
// policy decides through [autoscale.Decide] itself, with the State it would
// have in service; only the function around it is simulated.
//
//	Trace ──► demand ──► queue and slots ──► measurements, late ──► Decide
//	                          ▲                                       │
//	                          └── instances: boot, fail, drain ◄──────┘
//
// # What is simulated
//
// Time passes in ticks, at each of which the policy decides on what was
// measured before: averages over World.Window, World.Lag old. Instances boot
// for a time from a distribution, may fail to, and are paid for until they have
// drained. Between two ticks there are two ways to go:
//
//   - Discrete: every request comes by itself, at random times around the rate
//     of the trace, waits for a free slot in one queue, and leaves it when its
//     patience ends or is turned away when the queue is full.
//   - Fluid: requests are an amount. Its randomness is that of the sum of as
//     many requests, and who waits is told by the Erlang C formula while there
//     are slots enough, and by the amount that is waiting when there are not.
//
// Ticks with fewer than 10 ready instances and at most World.Discrete requests
// expected are discrete, all others fluid: the formula is good where there are
// many of either. Figures say how much of the time was discrete.
//
// # What is not looked at
//
// A decision knows nothing that comes after it: a trace that is cut off gives
// the same decisions until there. Memory is always at 20 %. Instances may differ
// in speed (World.SpeedSpread); who gets a request does not depend on it.
//
// # Randomness
//
// All of it comes from the seed. The same arguments give the same Outcome.
package simulate
