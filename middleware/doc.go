// Package middleware is the net/http engine of Holdfast: it drives package
// exchange with net/http on both sides. A Go program gets routing, balancing,
// breaker, retry and fallback from it without a second process:
//
//	h, err := middleware.New(middleware.Config{Functions: ...})
//	http.ListenAndServe(addr, h)           // as a handler, or
//	http.ListenAndServe(addr, h.Wrap(mux)) // in front of other handlers
//
// The path of a request: [Engine.ServeHTTP] refuses what two programs could
// read differently, finds out who the client is and hands the request to
// httputil.ReverseProxy. Its transport is the loop that asks the machine what
// to do and does it: wait, attempt, answer, relay. Bodies stream; the request
// body is kept up to a limit so that a retry can send it again.
//
// A client that leaves cancels the attempt, also while it waits in a queue.
// An answer that breaks off is passed on as broken, never as complete.
package middleware
