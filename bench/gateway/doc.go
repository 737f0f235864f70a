//go:build linux

// Command gateway measures proxies side by side: what one request costs them in
// CPU time. One run starts a backend, HAProxy, and the proxies to compare it
// with, and drives each with the same client in interleaved rounds, so that the
// machine's mood meets all alike:
//
//	go run ./bench/gateway                        # HAProxy, nginx, all engines
//	go run ./bench/gateway -proxies haproxy,loop -rounds 9 -time 5s
//
//	wrk ──► proxy (HAProxy | nginx | a Holdfast engine) ──► backend (nginx)
//
// The figure is user and system time of the proxy's processes, from
// /proc/PID/stat, by the number of requests: it says more than requests per
// second, for which proxy, client and backend compete on one machine. Medians
// over the rounds are printed, with the ratio to HAProxy of the same run.
//
// Every proxy keeps connections to two addresses of the backend and tells it
// who the client is. Holdfast's engines also run what a function has by
// default: two random choices, ejection, breaker, retry budget, records.
//
// It runs on Linux. HAProxy, nginx and wrk come from Debian; scripts/deps.sh installs them.
package main
