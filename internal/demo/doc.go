// Package demo is the function that the demonstration and the tests put behind
// Holdfast: a small HTTP service that says who answered, measures itself, and
// misbehaves on request.
//
// Everything lives under /api/NAME/. Any path answers JSON with function,
// instance, pid, path, method and served (requests so far). Besides:
//
//	health   status, cpu_percent, memory_percent, connections, event_loop_lag_ms
//	events   server-sent events, one counter each interval= (1s), count= of them
//	socket   a WebSocket that sends back what it gets
//	upload   reads the body, answers its bytes and sha256
//	ledger   POST with X-Ledger-Id: appends "id instance" to the ledger, a file or
//	         a table; 503 within a second or two when that cannot be done
//	switch   POST with slow=, fail=, drop=: this instance misbehaves for= (10s);
//	         health=1 lets its health check suffer too; without any it ends
//
// These query parameters make one request misbehave, in this order:
//
//	burn=200ms      use a CPU for so long
//	hold=50MiB      hold memory, for=30s (10s)
//	slow=500ms      answer late
//	crash=1         end the process at once
//	drop=1          cut the connection; with size= in the middle of the body
//	fail=503        answer this status (fail=1 is 500)
//	size=1MiB       answer a body of this size
//
// All are bounded, and a bad one is answered with 400 and one sentence. Health
// and switch ignore them: a request must not be able to fail a health check,
// an instance's switch may.
//
// A ledger line is written before the request misbehaves: an id that is there
// twice means that a request was processed twice, however it was answered.
package demo
