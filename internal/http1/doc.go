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
package http1
