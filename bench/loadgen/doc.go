//go:build linux

// Command loadgen measures load generators side by side: what a request costs
// them in CPU time and how much memory a virtual user takes. One nginx answers
// all of them; rounds are interleaved, with another tool first in each:
//
//	go run ./bench/loadgen                    # all tools and cases
//	go run ./bench/loadgen -write             # also into docs/performance.md
//	go run ./bench/loadgen -cases closed -tools wrk,holdfast -rounds 9
//
//	wrk | h2load | hey | vegeta | k6 | holdfast ──► nginx
//
// The generator under test runs as a process of its own, holdfast too: this
// program with another first argument. Its CPU time is what the kernel says of
// it when it has ended, start-up included, by the good answers it reports.
//
//	closed       64 users, as fast as the target answers; against wrk
//	open-2000    2,000 requests a second at even distances; against vegeta,
//	open-10000   10,000 a second; wrk knows no rate
//	users        peak memory with 10,000 users less that with 10, by user;
//	             two rounds at most
//
// A tool whose answers are not all right, or that falls short of half of a rate
// it was given, is shown with why, and makes the program fail. hey, vegeta and
// k6 are built from the modules in tools, once, into the user's cache.
package main
