//go:build linux

// Command gateway measures proxies side by side: what a request costs them in
// CPU time, how long it takes, and what memory they need. It starts the
// backends and the proxies itself and drives each with the same client in
// interleaved rounds, so that the machine's mood meets all alike:
//
//	go run ./bench/gateway                    # all cases, about a quarter of an hour
//	go run ./bench/gateway -short             # the plain cases, once, beside HAProxy
//	go run ./bench/gateway -write             # all cases, into docs/performance.md and .svg
//	go run ./bench/gateway -cases get,tls -proxies haproxy,holdfast -rounds 9
//	go run ./bench/gateway -o json >run.json; go run ./bench/gateway -from run.json
//
//	client (wrk | load) ──► proxy ──► backend (nginx | WebSocket echo)
//
// The first figure is user and system time of the proxy's processes, from
// /proc/PID/stat, by the number of requests. It says more than requests per
// second, for which proxy, client and backend compete on one machine. Ratios
// are taken within a round; the median over the rounds is shown with the least
// and the greatest.
//
//	get, get-10k, get-1m   answers of 512 B, 10 KiB, 1 MiB on kept connections
//	post-10k               a request body of 10 KiB
//	tls                    get over TLS 1.3, ECDSA P-256, kept connections
//	connect                get on a new connection each
//	websocket              echo of 512 B messages
//	idle, busy             memory with 10,000 silent and 1,000 busy connections
//	instances              get with 1, 10, 100, 1,000 instances
//	functions              get over 1, 50, 500 functions (routes, backends)
//	connections            get on 10, 100, 1,000, 10,000 busy connections
//	added                  median latency at 100 requests/s, less that without a proxy;
//	                       beside it a relay that only copies: no process adds less
//	steady                 latency at 70 % of the rate that HAProxy can reach, in
//	                       three times as many rounds, for tails differ more
//
// The last three use the client in the package load, the others wrk; both take
// processor time from the proxy, the same for all. Package peer says how the
// proxies are set up. Lines on standard error tell how far a run is. A proxy
// that fails is reported as missing, does not end the run, and makes the exit
// code 1.
//
// It runs on Linux. HAProxy, nginx and wrk come from Debian (scripts/deps.sh);
// Caddy is built once from the Go module proxy. To see where a proxy's time
// goes, run a case for long (-time 30s) and perf record -g -p PID beside it.
package main
