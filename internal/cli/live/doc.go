// Package live shows a load test while it runs: on a terminal a view that is
// drawn again up to ten times a second and takes keys, elsewhere lines.
//
//	loadtest.Point, one a second ─► Run ─► terminal: bubbletea, keys +, -, q, ?
//	                                  └──► anything else: a line every second to ten seconds
//
// The load runs in a goroutine of its own, which Run waits for; what is shown
// never holds it up by more than the time it takes to hand over a point.
package live
