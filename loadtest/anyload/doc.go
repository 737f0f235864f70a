// Package anyload makes the users of a load test whose requests go to whatever their URLs say:
//
//	http://  https://      HTTP/1.1 (package httpload), or HTTP/2 (http2load) where Request.HTTP2 asks for it
//	ws://    wss://        a message and its answer (wsload)
//	grpc://  grpcs://      HOST:PORT/package.Service/Method, a unary call (grpcload)
//	postgres:// postgresql://   a statement and its result (pgload)
//
// Requests of one load may be of several: each user then has a client of each of them, and what a request is decides which
// one sends it.
//
//	Shot.Endpoint ─► route ─► user of httpload │ http2load │ wsload │ grpcload │ pgload
//
// A load of one protocol gets that package's users themselves, so it costs nothing more.
package anyload
