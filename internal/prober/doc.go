// Package prober runs the health checks of all targets of a gateway and
// reports their verdicts.
//
// # How it works
//
// A heap orders the targets by when they are due. One goroutine, [Prober.Run],
// sleeps until the first of them is, and hands due targets to workers. A
// worker takes targets until none is ready and then ends, so there are never
// more goroutines than checks in progress, nor more than Config.Concurrency of
// them, and none while nothing is due.
//
//	           due                 worker free               result
//	waiting ─────────► ready ─────────────────► running ─────────────► waiting
//	   ▲                                           │
//	   └──────── overdue: counted as a failure ────┘ (the check still runs)
//
// The first check of a target is due at once, because no traffic flows to it
// before. The wait after it is a random part of the interval, so that a
// thousand targets set together do not stay in step; from then on intervals
// are jittered as the policy says, and moved to the nearest point of a grid of
// at most 250 ms: an idle process pays more for waking up than for a check, so
// a few wake-ups with many checks each cost a quarter of many with one. Checks
// of one target never overlap.
//
// # Who decides
//
// A [health.Tracker] per target holds the verdict. The prober only decides
// when to check. Suspect brings a check forward when traffic has failed; it
// does not change the verdict.
//
// # Failure behaviour
//
// Each check has its policy's timeout as its context's deadline. One that
// ignores it is counted as a failure half a second later; its goroutine does not
// count against the concurrency any more, and its target is checked again only
// once it has ended. A check that panics is a failed check. When all workers
// are busy, due targets wait in order; nothing is skipped.
//
// The prober owns the checkers given to it: one that is an [io.Closer] is
// closed once its target is removed or replaced, or Run ends, and no check of
// it is running.
package prober
