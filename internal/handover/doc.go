// Package handover lets one Holdfast take over from another without a lost
// request: the listening sockets and the lock on the data directory go from the
// old process to the new one over a local socket in that directory.
//
//	new                                   old
//	 │ "takeover" ────────────────────────► │ peer of the same user? nobody else under way?
//	 │ ◄─────────── sockets, lock, a note ─ │ goes on accepting
//	 │ starts its instances, waits until    │
//	 │ they are ready, accepts              │
//	 │ "ready" ───────────────────────────► │ stops accepting (Config.Taken)
//	 │ ◄──────────────────────────── "yours"│ finishes what it has, ends
//
// # Who decides
//
// The new process decides when it is ready. Until it says so the old one has
// given up nothing: a new process that fails, is killed or takes too long costs
// nothing, since the sockets it got were only further references to the same
// ones. From "ready" on the old one cannot go back. A connection that is queued
// in a socket belongs to the socket and is accepted by whoever still does.
//
// # Failure
//
// A refusal is always said ([ErrRefused]). A connection that ends without a
// word means that the old process is gone; the new one then holds everything
// and goes on.
//
// The lock is an flock, which belongs to the open file and not to a process:
// it is held without a gap until the last of both has closed it.
package handover
