// Package exchange decides what happens to a request on its way through the
// gateway: which function it belongs to, whether it may enter, which instance
// gets it, whether an answer is passed on or tried again, and what the client
// hears when nobody can answer.
//
// It is a state machine without input or output. An engine (net/http in package
// middleware, the wire engine, a simulator) moves the bytes and reports what it
// saw; the machine answers with the next [Step]:
//
//	Begin ──► Attempt ──► Head ──► Relay ──► Done ──► End
//	  │          ▲  │       │                  ▲
//	  │          │  └─Done──┤ (no head: retry) │
//	  ├─► Wait ──┘ Next     ├─► Attempt, Wait  │
//	  └─► Answer ───────────┴─► Answer ────────┘
//
// The order of the gates is fixed: route, function, admission (concurrency and
// queue), breaker, affinity, strategy. A gate that is shut answers at once or
// asks the engine to wait; a waiting exchange is woken through its [Waker] and
// may be given up with [Exchange.Abort] at any moment, as may any other.
//
// # Who decides what
//
// The router picks the function, package breaker whether the function is worth
// asking, package balancer which instance, package retry whether to ask again.
// This package only puts their answers in order:
//
//   - The breaker hears of an exchange once, when it is over; of a long one
//     (upgrade, stream) when its head arrives. Exchanges whose client left, or
//     that never came to ask an instance, say nothing about the function.
//   - The balancer hears of every attempt once, as soon as it is known how it
//     ended: of a failure at once, of a good answer when its body is whole or
//     has broken off, of a long one when its head arrives. The latency is that
//     of the head in all cases. What a client's leaving ended says nothing.
//   - The time in which an engine waits for the client's body is nobody's
//     latency, and no timeout of the function runs meanwhile.
//   - A retry on another instance needs that instance: it is chosen first, and
//     the retry rule is told whether there is one.
//   - A fallback function, or a redirect, gets a request only if it may be
//     processed a second time.
//
// Every decision is kept with its inputs in a [Record]; [Record.Replay] runs the
// rules again on the inputs and must come to the same decisions.
//
// # Waiting
//
// An exchange waits in one of three lines of its function: for a place
// (max_in_flight), for a probe of a half-open breaker, or for an instance. A
// freed place is handed to the first in line, so that nobody can overtake. In
// the other two lines one is woken per chance that opens, and all when
// something changes for all; whoever is woken looks again and may have to wait
// on. Who waits looks before and after lining up, and again every quarter of a
// second, since time alone can open a gate too. Lines are bounded.
//
// # Concurrency
//
// A [Machine] and its [Function]s are shared by all engines; an [Exchange]
// belongs to one engine at a time and is reused after End. Only its spot in a
// line is touched by others, under the lock of the function's lines. No Waker is
// called under a lock.
package exchange
