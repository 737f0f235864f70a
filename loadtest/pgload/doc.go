// Package pgload makes the users of a load test that ask PostgreSQL, or a pooler before it.
//
// A user is one client with one connection, which it keeps as long as Config says. A request is one statement and its
// whole result. Values of parameters come from variables of package template and travel apart from the statement, so no
// value can change what it does.
//
// # Classes
//
// What the server answers decides, by its SQLSTATE:
//
//	53300 too many connections, 53400          RateLimited   the server lives and says: later, or fewer of you
//	57P03 cannot connect now                   Refused       it starts up, shuts down or recovers
//	57P01, 57P02, 57P05, 08xxx but 08P01       Reset         it ended the session
//	08P01 protocol violation                   Malformed
//	all others                                 BadStatus     the statement failed: deadlocks, statement_timeout, a wrong password
//
// Poolers reuse states with less care. PgBouncer says 08P01 for much that is no violation, among it query_wait_timeout;
// Client.States tells all that came. Errors that are no answer have the classes of the network.
//
// A statement that took too long is cancelled on the server too, in the background, and the user's next connection waits
// for that: otherwise a slow server would collect more sessions than there are users.
package pgload
