// Package access decides who may do what on the admin interface, and keeps the
// account of what was done. It stands between the listeners and the handlers
// of package admin and knows none of them.
//
// A request passes Guard in this order; the first refusal is the answer:
//
//	headers    every answer, refusals too, carries the strict headers
//	Host       a name nobody configured is refused (DNS rebinding)    421
//	address    token bucket per client address                        429
//	identity   local socket, bearer token or session cookie           401, 429, 503
//	origin     cookies count only for pages of this very origin       403
//	identity   token bucket per identity                              429
//	handler    Guard.Require holds the role it needs                  401, 403
//
// Who somebody is follows from the way in:
//
//	local socket   the kernel says which user is at the other end; the user
//	               Holdfast runs as, and root, are admin
//	bearer token   "hf_<id>_<64 hex digits>", stored as its SHA-256
//	session        a random cookie a browser got for a token; it ends with the
//	               token, after being idle, and after its absolute lifetime
//	nobody         may ask what needs no role
//
// Roles are cumulative: a viewer reads; an operator also acts on what runs
// (failover, scale, drain, clear sessions, reset a breaker); an admin also
// changes configuration and tokens.
//
// When the store is down, requests still authenticate: Tokens keeps the list
// of all tokens in memory, refreshes it beside the requests, and trusts it for
// a day. The bootstrap token is a file and needs no store at all. Revoking
// takes effect on this node before the store is asked, on other nodes with
// their next refresh. Changes need the store, because they need the audit
// log: Audit writes the entry first and makes the change after.
//
// Nothing in this package prints a secret: errors and logs name a token by its
// id, and Mask hides whatever looks like one in text from elsewhere.
package access
