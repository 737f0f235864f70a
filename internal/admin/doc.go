// Package admin answers questions about a running Holdfast over HTTP. It reads
// what the gateway, the prober and the platform know at the moment of the
// question and keeps nothing of its own but the counters of half a minute ago.
//
// There are two listeners, and who may ask what follows from the way they are
// reached:
//
//	TCP          GET / /metrics /healthz /readyz
//	             anybody who reaches the port; figures only, nothing to change
//	unix socket  the same, and /api/v1/...
//	             whoever may open the file: the user Holdfast runs as
//
// Every answer of the API is one of the structs of this package as JSON; every
// refusal is an Error with a sentence and, where there is one, a way out. The
// API can change log levels and have the configuration read again. It takes no
// part in serving traffic: when it hangs or panics, requests do not notice.
package admin
