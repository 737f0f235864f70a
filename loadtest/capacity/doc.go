// Package capacity finds out how much a service carries, and says what that
// rests on. All of it is arithmetic: a driver runs the load and reports
// windows.
//
//	Search ── Step: load, for so long ──► driver
//	   ▲                                    │
//	   └────── Window: what came of it ◄────┘
//
// Search doubles the rate until the service breaks, bisects between the last
// good and the first bad rate, confirms both sides, overloads the service and
// measures how long it takes to be well again. Limits.Judge says whether a
// window is good, and what broke first if it is not.
//
// FitUSL fits the Universal Scalability Law to throughputs at several
// concurrencies, and Knee finds the point where a curve bends; both are
// descriptions of what was measured and do not extrapolate.
package capacity
