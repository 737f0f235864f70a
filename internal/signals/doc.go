// Package signals fetches numbers that others measure: the result of a query to
// Prometheus, a number in a JSON document.
//
//	source ── every interval ──► request ──► number, and when it came
//	                                │
//	                                └─► or why there is none
//
// Each source has a goroutine of its own, which asks at once and then every
// interval, give or take a tenth. At most 16 requests are under way together. A
// request ends after its timeout, an answer after 1 MiB, and redirects lead to
// the same host or nowhere.
//
// # Missing is not zero
//
// A number holds until the next one comes, but no longer than three intervals. An
// answer that says there is none (an empty result, NaN) holds as well: then the
// number is unknown at once. What is unknown never takes instances away.
//
// # Secrets
//
// Headers and queries of URLs may hold secrets. No text of this package shows
// them, nor what a server sent, except what Prometheus says about a query.
package signals
