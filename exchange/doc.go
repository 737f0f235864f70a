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
//	  │          │  └─Done──┤ (broken: retry)  │
//	  ├─► Wait ──┘ Next     ├─► Attempt, Wait  │
//	  └─► Answer ───────────┴─► Answer ────────┘
//
// The order of the gates is fixed: route, function, breaker, admission
// (concurrency and queue), affinity, strategy. A gate that is shut answers at
// once or asks the engine to wait; a waiting exchange is woken through its
// [Waker] and may be given up with [Exchange.Abort] at any moment.
//
// Who decides what: the router picks the function, [breaker] whether the
// function is worth asking, [balancer] which instance, [retry] whether to ask
// again. This package only puts their answers in order. Every decision is kept
// with its inputs in a [Record]; [Record.Replay] runs the rules again on the
// inputs and must come to the same decisions.
//
// Concurrency: a [Machine] and its [Function]s are shared by all engines; an
// [Exchange] belongs to one engine at a time and is reused after End.
package exchange
