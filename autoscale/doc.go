// Package autoscale decides how many instances a function should have. It
// decides and does nothing else: no clock, no input or output, no goroutine.
//
//	Feed ──► Signals ─┐
//	         Policy ──┼──► Decide ──► Decision ──► whoever adds and removes instances
//	         State ───┘                 │
//	           ▲───── Decision.Next ────┘
//
// Call [Decide] every few seconds with what was measured, and hand the State of
// one decision to the next. The same arguments give the same Decision, at any
// time and on any machine: that is what makes a decision explainable and a
// policy rehearsable on recorded traffic.
//
// # From signals to a number
//
// Each rule makes a proposal; none can overrule another. The largest proposal
// wins, so that instances are added if any rule wants it and removed only if
// all agree.
//
//   - Thresholds add when any of their signals is above its limit, and remove
//     when all are below theirs and nothing was asked for IdleFor.
//   - Targets keep a signal at a value, with the rules of the Kubernetes
//     Horizontal Pod Autoscaler: a tolerance, and instances that start or say
//     nothing are assumed to be what makes the smaller change.
//   - Capacity asks how many instances make waiting rare for the offered rate
//     (Erlang C). It leaves small functions more room than large ones, which a
//     fixed percentage cannot.
//   - Panic looks at a few seconds only, and may skip the rests below.
//   - Zero takes the last instance away when nobody needs it, and brings one
//     back as soon as somebody waits. Targets that see work, such as a queue of
//     your own, keep the last instance too.
//   - Schedules move the bounds while they are in force.
//
// # From a wish to a result
//
// What may stand against a wish comes in this order, and each that changed
// something is a [Constraint] of the Decision:
//
//	missing signals    never fewer instances on something nobody measured
//	guards             failing starts, incidents, deploys, saturation elsewhere
//	stabilisation      the most careful wish of the last minutes
//	rates              so many instances in so much time
//	cooldown           a rest after each change
//	flap budget        so many changes per hour; removing stops first
//	budget             money
//	mode               up only, advisory, paused, pinned
//	bounds             Min and Max, always last: no result is ever outside
//
// # Missing is not zero
//
// A signal that is not in [Signals] is unknown. Unknown forbids removing
// instances, whatever the others say. Two things are inferred where the offered
// rate is known to be 0: unknown response times and error rates are 0, and where
// no instance has ever been ready and nothing is inside, so are processor,
// memory, connections, and what else only instances can say (Signals.OfInstances).
// Else an instance that never starts would stay for good. One that is ready, or
// was, has to be measured. [Decision.Explain] tells what was inferred.
//
// # Failure behaviour
//
// Decide cannot fail. [Policy.Validate] says what is wrong with a policy; with
// one it refuses, Decide still keeps to the bounds as far as they make sense.
// What the platform does not answer is for the caller: without Signals.Desired
// there is nothing to decide, and the caller keeps what it has.
package autoscale
