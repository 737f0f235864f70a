// Package admin answers questions about a running Holdfast over HTTP, and takes
// orders. It reads what the gateway, the prober and the platform know at the
// moment of the question and keeps nothing of its own but the counters of half
// a minute ago; orders go to package control.
//
// Both listeners serve the same. Who may do what is decided by package access
// before a handler runs:
//
//	                           this machine    elsewhere
//	/ /healthz /readyz         everybody       everybody (readyz without names)
//	/metrics                   everybody       viewer
//	/api/...                   the role of the operation: viewer, operator, admin
//
// The local socket needs no token: whoever opens it as the user Holdfast runs
// as is admin.
//
// The API is described by OpenAPI 3.1, which is generated from the types here
// and served at /api/openapi.json. Every refusal is an Error with a sentence,
// the field that is wrong, and where there is one, a way out:
//
//	400 cannot be understood   401 who are you    403 you may not
//	404 there is no such       409 not now        429 slower       503 not without the store
//
// Events can be followed as a stream. The bus keeps the last thousand, numbered,
// and a client that lost its connection goes on where it stopped.
//
// The interface takes no part in serving traffic: when it hangs or panics,
// requests do not notice.
package admin
