// Package health asks one endpoint whether it is well and turns the answers
// into a stable verdict.
//
// # Two parts
//
// A [Checker] makes one check and returns one [Result]. There are four:
// [HTTP] (status, body text, JSON fields), [TCP] (a connection is accepted),
// [GRPC] (the grpc.health.v1 protocol) and [Exec] (a command exits with 0).
// A check knows nothing of the checks before it.
//
// A [Tracker] holds the verdict of one target: it counts results against the
// rise and fall thresholds of a [Policy], says when the next check is due and
// remembers what happened. It makes no checks, starts no goroutines and reads
// no clock. Who wants checks to run uses internal/prober or a loop of three
// lines (see the example of Tracker).
//
// # States
//
//	            first OK                    Fall failures in a row
//	Unknown ──────────────► Up ─────────────────────────────► Down
//	   │                     ▲                                 │
//	   │                     └──────── Rise OK in a row ───────┘
//	   └─ first failure ─► Down (never up yet) ── one OK ──► Up
//
// The first result decides at once: nobody should wait three intervals before
// a fresh gateway may send traffic, nor send traffic to something that has
// just failed. A target that was never up is a server that is starting, so its
// first OK counts without Rise. From then on both thresholds apply, because a
// single lost packet must not take a server out, and a single lucky answer
// must not bring a broken one back.
//
// # Who decides
//
// The verdict is one of several sources of an instance's status. A consumer
// lets any source that says down win; this package never overrules another.
//
// # Failure behaviour
//
// A check never returns an error and never panics: whatever goes wrong is a
// Result with OK false and one short sentence as the reason, such as
// "GET /health answered 503" or "connect: connection refused". A reason never
// contains header values, query strings, credentials or environment values,
// so it may be shown and logged. Every check ends by its context's deadline,
// or by its configured timeout where the context has none. The head of an HTTP
// answer and its body are read up to 64 KiB each, redirects are not followed.
package health
