//go:build linux

// Package peer starts the proxies that bench/gateway compares, their backends,
// and reads what they use.
//
//	HAProxy, nginx   from Debian
//	Caddy            built from the module in bench/gateway/caddy, once, into the user's cache
//	Holdfast         built from the tree: the real program, three times over
//	                 (engine http1; the same with an access log; engine std)
//
// Settings mean the same in all of them, as far as each has them: two threads,
// two random choices, kept connections to the backend, two retries elsewhere,
// X-Forwarded-For, active checks every 30 s (nginx has none), no access log but
// where the name says so. Holdfast has all its defaults besides: breaker,
// ejection, retry budget, records, metrics. No proxy compresses or caches.
package peer
