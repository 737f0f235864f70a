// Package gateway puts the functions behind a listener. It turns the wanted
// state (functions, their routes and instances) into the running one without
// touching what did not change: exchanges under way, WebSockets and what was
// learnt about instances survive every change of configuration.
//
//	listener ──► middleware.Engine ──► exchange.Machine ──► instances
//	                                        │ record
//	                                        ▼
//	                               access log, failure watch
//
// With ServeConfig.Loops, the poll loops of internal/http1 stand between the
// listener and the engine. They drive the same machine, and hand the engine the
// connections of requests they do not carry:
//
//	listener ──► http1.Loops ──────────────────► exchange.Machine
//	                  └─ handed over ──► middleware.Engine ──┘
//
// With Config.Strict, net/http serves clients and asks instances through the
// filters of internal/http1, which let it read nothing the strict parsers have
// not accepted.
//
// The gateway serves from memory alone. Who says which instances there are and
// how they are (static list, platform, prober) is connected by package app.
package gateway
