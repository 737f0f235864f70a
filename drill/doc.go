// Package drill shows that an installation heals: it puts load on a function
// of a running Holdfast, breaks something on purpose, and measures what the
// clients felt, what the installation did about it, and what is left behind.
//
//	baseline ───► fault window ───────────► recovery window ───► verdict
//	  steady?      inject ─► revert           well again?         expectations, score
//	└───────────────── load, open model, all the time ────────┘
//
// An [Experiment] is data: see [Parse] for how it is written. Faults come from
// the driver, this package, by fault/sysfault, and by orders that anybody may
// give through the admin API; the product has no hook for them. Whatever is
// done is in a journal before it is done, and a guard, a process of its own,
// takes it back when the driver dies.
//
// # Figures
//
//	availability   good answers by planned requests of the fault window, not sent ones among them
//	detect         first injection to the first event that says so
//	failover       first injection to the first good second behind a bad one; 0 when none was
//	recover        last revert to the first of three seconds without failures and a p99 near the baseline's
//	inflation      p99 of the fault window by that of the baseline
//	amplification  attempts by exchanges, of the server, in the fault window
//	duplicates     POSTs that were processed more than once, by the function's own ledger
//	lost           POSTs that were acknowledged and are not in the ledger
//	gets           good GETs by GETs of the fault window
//	hung           requests that had no answer when the client gave up
//	refusal        the longest that a POST of the fault window took to fail
//	spoiled        answers that looked good and were not whole
//	struck         times that faults of proxies hit something
//	restarts       processes of the function that were started
//	residue        goroutines of Holdfast afterwards above those before
//	files, memory  open files, and MiB of memory, likewise
//	leftover       processes of instances that nobody knows any more, and what faults left on the machine
//
// A figure that was not measured is missing and never counts as good. When the
// load was not offered, by the generator's own fault, the drill is INVALID: it
// shows nothing, whatever the figures are.
package drill
