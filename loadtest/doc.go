// Package loadtest puts load on a service and measures what its clients would have felt.
//
// # Two models
//
// Open: requests are due by a schedule (Config.Rate, or Stages of rates), whatever the service does. A service that
// stands still for a second finds a second's requests waiting, and each of them counts from the moment it was due.
//
// Closed: Config.Concurrency users send one request after the other. A slow service is asked less often, so the
// latencies leave out the queue that independent clients would stand in: reports say so.
//
// # What is measured of a request
//
//	planned ───────► dispatched ───────► written ───────► done
//	   │  send lag       │   connecting      │   service    │
//	   ├─ timer lag (the generator's fault)
//	   ├─ wait (all of MaxInFlight were busy: the service's)
//	   └──────────────── response time ──────────────────────┘
//
// Response time, the headline, is done-planned; service time is done-written, which hides every queue before the service
// and is shown beside it for that reason. A model that measured from "written" only would miss what happens while it does
// not send (coordinated omission).
//
// Every planned request ends in exactly one Class. Requests that found nobody free for MaxWait are NotSent and count as
// failures. A timeout is recorded with its whole length and belongs to the response times, or a service that hangs would
// look faster than one that is slow. All other failures have histograms of their own by class, or quick errors would.
//
// # Who does what
//
//	Arrivals ─► dispatcher ─► worker (one goroutine, one User, one connection) ─► Recorder, one shard per core
//	                              ▲                                                  │ each second
//	                           sweeper (timeouts)                                 series, objectives, self-check
//
// Where a User is a Sender, the dispatcher writes the request itself and the worker wakes up for the answer only.
//
// A Client makes Users; package httpload has the one for HTTP/1.1, and http2load, wsload, grpcload and pgload those for other
// protocols. The backlog of an open run is no queue but the part of
// the schedule between the next request and now, so it takes no memory. All histograms are of fixed size, and the series
// of points coarsens when it gets long: a run of days takes what one of minutes does.
//
// Run returns when all its goroutines are gone. The package does not log; Config.OnPoint is told of every second.
package loadtest
