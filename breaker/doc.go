// Package breaker decides whether a call may be made at all, from how the calls before it ended.
//
// # States
//
//	          failures, failure rate or slow-call rate reach their limit
//	┌────────┐ ───────────────────────────────────────────────────────▶ ┌──────┐ ◀─┐
//	│ closed │                                                          │ open │   │ one probe fails:
//	└────────┘ ◀──────────────┐                     NextAttempt is past └──────┘   │ open again, longer
//	                          │                     and a caller asks       │      │
//	                          │  HalfOpenMaxCalls   ┌───────────┐           │      │
//	                          └─────────────────────│ half_open │ ◀─────────┘      │
//	                             probes succeed     └───────────┘ ─────────────────┘
//
// Closed lets every call through. Open refuses every call until NextAttempt. Half-open lets a few calls through as
// probes, never more than HalfOpenMaxCalls at once.
//
// # Who decides
//
// The caller asks with Allow and reports with Done; time is always its argument, so a breaker has no timer, no goroutine
// and nothing to close. It therefore leaves the open state only when somebody asks after NextAttempt: an idle breaker
// stays open, and its Snapshot says so. Whether a result changes the state is decided by Config.Decide alone, a pure
// function of the Inputs recorded in every Event; feeding them back gives the same Decision.
//
// An operator can hold a breaker open with ForceOpen and close it with Reset; the operator always wins. Whoever learns
// from elsewhere that the callee may be back can bring NextAttempt forward with Hasten; the probes still decide.
//
// # Generations and lost permits
//
// Every change of state starts a new generation. A Permit belongs to the generation that gave it, and a result of an
// older one is ignored: a call that began before the outage cannot close the breaker after it, nor open it again after
// the recovery. In half-open a permit whose result never comes is given back after HalfOpenTimeout, so a caller that
// died with it cannot keep the breaker half-open for ever; a result that arrives later than that is ignored.
//
// # Failure behaviour
//
// A breaker never blocks a caller on another one's call. Allow on a closed or open breaker takes no lock. Events are
// delivered in order, one at a time and outside the lock, by one of the goroutines that changed the state; OnEvent may
// therefore call the breaker. While OnEvent is busy, at most 256 events wait; beyond that the oldest are dropped and
// counted in Snapshot.EventsDropped.
package breaker
