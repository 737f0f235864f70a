// Package middleware is the net/http engine of Holdfast: it drives package
// exchange with net/http on both sides. A Go program gets routing, balancing,
// breaker, retry and fallback from it without a second process:
//
//	h, err := middleware.New(middleware.Config{Functions: ...})
//	http.Serve(ln, h)           // as a handler, or
//	http.Serve(ln, h.Wrap(mux)) // in front of other handlers
//
// The way of a request through [Engine.ServeHTTP]:
//
//	inspect ──► begin ──► attempt ──► relay ──► end
//	   │          │  ▲       │  │        │
//	   ▼          ▼  │       │  └────────┼─► wait, attempt again
//	refusal     wait─┘       ▼           ▼
//	                    local answer   tunnel (after 101)
//
// Inspection refuses what two programs could read differently and finds out
// who the client is. From there on the exchange.Machine decides and the engine
// moves the bytes. They stream: only the request body is kept, up to a limit,
// so that a retry can send it again.
//
// # Who is to blame
//
// Each attempt has a watchdog that knows whose turn it is. An instance that
// gives no head within timeouts.attempt is cut off and blamed; the time a
// client takes to upload is not the instance's. A side that moves no byte for
// timeouts.idle ends the exchange; for a tunnel that is no byte either way.
// A client that leaves cancels the attempt, also while it waits in a queue,
// and nobody is blamed. Without a connection to the instance nothing was sent
// and any request may be tried elsewhere.
//
// # What a client can rely on
//
// An answer that breaks off is passed on as broken, never as complete: the
// connection is cut (HTTP/1.1), reset (HTTP/1.0) or the stream is reset
// (HTTP/2). A path, a query and a Host arrive at the instance as they were
// sent; only escaped letters, digits and -._~ in a path are decoded, so that
// what is matched is what is forwarded. Every answer has an X-Request-Id.
//
// # What net/http cannot do
//
// On HTTP/1.1 it sees a client leave only once the request body is read to its
// end. While an exchange waits, the engine reads up to the replay limit for
// that reason; behind a larger body that an instance does not take, the
// client's leaving is noticed when the attempt ends.
package middleware
