//go:build linux

// Package load drives servers with requests that are prepared bytes: closed
// loops, where each connection waits for its answer, open ones, which send at a
// fixed rate whatever the server does, and connections that only stay.
//
// wrk is the client of closed loops where it can be. It cannot send at a rate,
// speak WebSocket or leave the opening of ten thousand connections out of what
// is measured, which this package does: on poll loops of threads of their own,
// because a client that costs more than the proxy would measure itself.
//
// An open loop takes latency from the time a request was meant to be sent: one
// that waits for a free connection behind a slow answer has begun to wait.
package load
