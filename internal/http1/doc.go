// Package http1 is the HTTP/1.1 engine of Holdfast: a parser and a writer of
// its own, and poll loops that carry requests to instances as an
// exchange.Machine decides.
//
// # The parser
//
// [Request], [Response] and [ChunkReader] read from a buffer that somebody else
// fills, in pieces of any size, and keep offsets instead of copies: a request
// that came whole costs no allocation. They are strict where programs disagree,
// because a request that two programs read differently is how one client's
// bytes become another's request. What is refused is a [SyntaxError]; what is
// accepted has one meaning, and AppendTo writes that meaning anew instead of
// passing the bytes on: one statement about the body, no field that concerns
// the connection, no chunk extension, nothing about the client that the client
// said itself.
//
//	bytes ──► Request.Parse ──► Framing, Path, Get ──► Request.AppendTo ──► instance
//	client ◄── Response.AppendTo ◄── Response.Parse, ChunkReader ◄── bytes
//
// # The loops
//
// On Linux, [Loops] carry the common kind of request: one thread per loop with
// an epoll set, connections, upstream pools and timers of its own. They share
// the listener; a new connection goes to the loop that has the fewest.
// A connection has no goroutine and, while it is silent, no buffer. It goes
// round like this:
//
//	         request complete            head              last byte taken
//	reading ─────────► connecting ► asking ─────► relaying ───────────────► reading
//	   │        │                      │  ▲                                    │
//	   │        └───────► waiting ─────┼──┘ as the machine says                ▼
//	   ▼                               ▼                                   draining
//	handed over                  next attempt                          (after our end)
//
// A loop carries requests whose head and body fit one buffer of 16 KiB, so that
// every one can be sent again. All else it hands over with the bytes it has
// read: chunked and large uploads, expectations, upgrades, OPTIONS and TRACE,
// large heads, slow uploads, and what LoopsConfig.Takes does not let it take.
// That decision falls before the machine hears of the request.
//
// Who gets these connections wraps them with [Strict.Client]: a filter that lets
// a server of another make, such as net/http, read only what the parsers here
// accept, and gives the connection back to a loop between two requests.
//
// A loop never blocks: what a client does not take at once is kept, and the
// instance is not read meanwhile. A client that always has more to say gets 16
// steps (a read or a request each), then the others have theirs. A client that leaves is noticed at any time
// (EPOLLRDHUP) and its attempt cancelled. An idle connection to an instance on
// which anything happens is closed, so that an answer nobody asked for reaches
// nobody; a request that meets a connection which is being closed is sent once
// more if it may be.
//
// The program that runs loops gives the Go scheduler a processor more for each:
//
//	runtime.GOMAXPROCS(runtime.NumCPU() + loops)
//
// A loop that sleeps in epoll_wait holds its processor. With none to spare the
// scheduler takes it away within microseconds and has to find one again at each
// wake-up, which costs about as much as all the parsing.
//
// # Instances
//
// An instance is an http:// endpoint with an address or a name. Loops never
// look names up: [Loops] have a resolver for that. A request that meets a name
// nobody has looked up yet waits for it, within the time to connect, as it
// would for a connection. Answers serve for 30 s and are then renewed while the
// name is in use, and at once when none of its addresses can be reached; while
// DNS fails the last good ones stay in use. Of several addresses the one that
// answered last is tried first. One that refuses is followed by the next at
// once, and one that is silent for 250 ms has the next tried beside it (RFC
// 8305), sooner where the time to connect would not do for all: the first that
// connects is used, the others are closed, and no more than four are tried at a
// time. localhost has both addresses, whatever DNS says. Connections to
// addresses a name no longer has carry no further request.
//
// An instance has one limit for all loops: of idle connections, 256. Those in
// use are attempts, one each, and bounded where attempts are: by the instance's
// max_in_flight in package balancer and the function's in package exchange,
// which all loops and the second engine share. The idle connections of the
// second engine are its own, 256 more.
//
// A request that may not be repeated is not sent into an idle connection before
// one more look (a recv that takes nothing) shows that the instance has not
// closed it. Others do without: they are sent once more.
//
// With LoopsConfig.TLS the loops speak it. The handshake has a goroutine, which
// the loop wakes; from then on the loop reads and writes records by itself, with
// crypto/tls between the socket and its buffers. HTTP/2 is handed over.
//
// A panic costs the connection it was about, where LoopsConfig.Panicked is set.
//
// Only the machine is shared. A wake-up from another thread is put in a list
// and rings the loop's bell, an eventfd.
package http1
