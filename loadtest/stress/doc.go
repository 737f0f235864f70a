// Package stress tries how much a service carries, where it breaks and how it
// recovers.
//
// A Suite is a shape of load around a normal rate; its result is that of a load
// test whose stages are reported one by one:
//
//	smoke     a tenth of the rate, shortly: does it work at all?
//	load      the rate
//	stress    1, 1.5, 2 and 3 times the rate
//	spike     the rate, ten times of it at once, the rate again
//	soak      the rate for long
//	recovery  the rate, three times of it, half of it
//
// Breakpoint needs no rate: it looks for the highest one the service carries,
// overloads it and measures how long it takes to be well again; see package
// capacity for how.
package stress
