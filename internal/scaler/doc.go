// Package scaler runs the loop around autoscale.Decide: it measures functions,
// lets the policy decide every two seconds, and has the platform carry it out.
//
//	exchange ──── in flight, queue, rates ──┐
//	Config.Measured ── processor, memory, ──┼─► autoscale.Decide ─► Platform.Scale
//	                   response times       │            │
//	Platform.Observe ─ instances ───────────┘            └─► Config.Decided, View
//
// The scaler decides about numbers only. The platform owns the instances: it
// drains those that go, and says how many there are. What a decision asks for is
// a level, not an edge: one that was not carried out is asked for again.
//
// A function that is not among the targets any more keeps its instances; its
// state is forgotten, so that scaling begins with caution when it comes back.
package scaler
