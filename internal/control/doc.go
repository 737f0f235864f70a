// Package control does what people order: fail over, scale, stop, drain, weigh,
// clear, force, configure. Every surface (API, commands, dashboard) ends here,
// so an order means the same wherever it comes from.
//
// # The way of an order
//
//	check ──► store (audit log and row, one transaction) ──► in force ──► action, event
//	  │ 404 409 400      │ 503: nothing was changed
//
// An order is written before it takes effect, because one that nobody can
// account for must not happen; a store that is down refuses orders and leaves
// traffic alone. What is in force afterwards is a State, and the same State is
// put in force again after a reload, a restart, and when another node changed
// the store: orders are levels, not edges, and none of them is lost by doing
// one twice.
//
// # Who decides
//
// Whoever calls has checked that the person may. Control decides whether the
// order makes sense now. It orders draining, weights, numbers of instances,
// forced breakers and configuration; it never says that an instance is healthy.
//
//	failover   drains the primary until failback; refused when nobody else could take its traffic
//	pause, pin keep the scaler from changing the number of processes, for a while
//	scale      sets the number of processes, within scaling.min and max_instances
//	stop       lets checks, ejection, breaker and retries rest; traffic flows
//	configure  overrides of a function's configuration, checked as a whole before they are kept
//
// The copy of the State beside the store is what a Holdfast starts with when
// its store does not answer.
package control
