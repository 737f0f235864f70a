// Package alerting decides who is told of what, and sees to it that they are.
//
//	figures ──► rules ──► findings ──► Book: one state machine a subject
//	events ─────────────►                │ pending ─► firing ─► resolved
//	                                     ▼
//	       silences, maintenance ──► heard or not ◄── causes over symptoms
//	                                     │
//	                                     ▼ groups: one notification a function
//	                          queue on the disk, one a channel ──► channel.Send
//
// # What is decided where
//
// Rules look at a View, a picture of everything at one moment, and say what is
// wrong in it (Finding). They remember nothing. Book remembers: since when
// something is wrong, who was told, what is silenced. It is pure: it takes the
// time as a parameter, and what it decided is all in what it returns. Service
// does the waiting: it looks every two seconds, keeps the Book on disk and runs
// one sender a channel.
//
// # Nothing is lost, and nobody is told for ever
//
// A notification is in the queue on the disk before the Book says that it was
// told, and leaves the queue when its channel took it. So kill -9 at any moment
// may tell something twice, with the same ID, and never not at all. Firing
// alerts outlive a restart: what still is wrong is not told again, and what was
// well by then is resolved once the figures are there to know.
//
// The queue of a channel is bounded (8 MiB, some thousand notifications). When
// it is full, info is dropped first, then warnings, critical last; of one kind
// the oldest. What is dropped is counted, and is an alert itself.
//
// # Quiet on purpose
//
//	for          something must last before it fires
//	keep         and be well for a while before it is resolved
//	flapping     a third time within a quarter of an hour: told once, resolved after 10 quiet minutes
//	grouping     all about one function is one notification, after group_wait
//	causes       without instances nobody is told of errors; the table is in inhibit.go
//	silences     by matchers, with an end, an author and a reason
//	maintenance  windows that come back, or one
package alerting
