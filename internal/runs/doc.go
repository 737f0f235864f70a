// Package runs carries load tests, stress tests and drills out for a running
// Holdfast. Each is a child process of the same binary with limits of its own
// (see package supervise), so that what it costs is not taken from the gateway,
// and what goes wrong in it ends nothing else.
//
//	Start ── checked [Spec] ──► queued ──► running ──► passed, failed, invalid, skipped
//	                                          │ Stop, shutdown        │ its process ended
//	                                          ▼                       ▼
//	                                      cancelled                crashed
//
// What happens meanwhile is a line of numbered [Moment]s, all on the clock of
// this machine: a figure for each second, beside what the gateway itself
// counted in that second, and the begin and end of each fault. The last ones
// are kept, so whoever follows a run can go on where it stopped.
//
// # Whatever is done is taken back
//
// A drill's child takes its faults back itself, and a guard process does when
// the child is killed. When the child has ended, however it ended, this
// package takes back once more what is left in its journal: by
// Config.TakeBack. A run that was under way when Holdfast itself was killed is
// found at the next start, treated the same, and shown as crashed.
//
// # On the disk
//
// A run is two files in Config.Dir: ID.json with its moments, ID.report.json
// with what it measured. A lock on the directory says whose runs they are; a
// Holdfast that takes over from another one waits until that has ended its
// own.
package runs
