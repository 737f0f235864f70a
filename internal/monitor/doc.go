// Package monitor watches how everything performs: functions, their instances
// and Holdfast itself. It measures all the time and says when something is out
// of the ordinary. It is the only owner of the rules for that.
//
//	every 10 s:  functions ── counters ──┐
//	             instances ── health, /proc ──► Figures ──► rules ──► Anomaly begins, ends
//	             Holdfast ─── runtime ───┘                              │
//	every minute: minutes of today and of a week ago ──► latency        ▼
//	                                                            Config.Tell, Snapshot
//
// # The rules
//
//	memory    an instance or Holdfast uses over 90 % of its limit
//	loop_lag  an application's event loop, or Holdfast's scheduler, lags over 100 ms
//	errors    over 10 % of a function's requests of the last minute failed
//	latency   p95 of the last 15 minutes is 1.5 times that of the same hour last week
//
// A rule begins when its value has been over the limit for a while and ends
// when it has been well below it for a while, so that a value on the edge is
// told of once. What is not known begins nothing; what stays unknown ends.
package monitor
