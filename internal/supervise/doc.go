// Package supervise runs heavy or risky work in child processes of the same
// binary: a backup, a load run, a pooler that panics or leaks must not touch the
// gateway. It knows nothing of the work: the parent calls methods by name, the
// child answers them.
//
//	parent: Child.Run ── starts, watches, limits, restarts ──► child: Serve
//	        Child.Call ─────── socketpair, descriptor 3 ─────► handler
//
// # States
//
//	           answers hello          asked to
//	starting ────────────────► running ────────► stopped
//	   ▲  │ not in time          │ ended, silent, over its memory
//	   │  ▼                      ▼
//	  waiting (longer each time; "crash_loop" when it happens too often)
//
// # Who decides
//
// [Child.Run] owns the process: it exists only while Run does. A child is killed
// when it does not answer within Heartbeat.Timeout (frozen, or so busy that its
// runtime does not get to it) and when it is over its memory. Its panics are its
// own: they end it, calls under way end with [ErrEnded], and it starts again.
//
// # Limits
//
// Memory and CPU are limited by a cgroup of the child's own: version 2 where
// Holdfast was given a subtree (systemd: Delegate=yes), version 1 where that is
// what the machine has and the rights suffice. Otherwise a loop looks at the
// child's memory every 100 ms and kills it when it is over, and the CPU is left
// to the scheduler: lowest priority and as many threads as the limit has cores.
// In all cases the Go runtime of the child is told to keep below (GOMEMLIMIT,
// GOMAXPROCS). [Status.InForce] says what is in force, and why nothing better.
// RLIMIT_AS is not used: it counts address space, of which Go reserves far more
// than it uses.
package supervise
