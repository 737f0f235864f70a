// Package httpfault spoils single HTTP/1 requests on purpose. On kept connections a fault per connection says little: one
// connection carries all requests, or none. Here each request is decided on its own.
//
// # The proxy
//
// A [Proxy] stands in front of a server. It reads requests and answers with the strict parser of internal/http1 and passes
// their bytes on as they are; each client's connection has one to the server, so that closing and half-closing reach
// the other side as they would without it. WebSocket and other upgrades pass once the server has switched.
//
//	status=503, status=429/2s   answered here, the server is not asked; with Retry-After
//	delay=200ms~50ms            the server is asked later; jitter and shape as in package fault
//	reset                       RST instead of an answer, the server is not asked
//	lost                        the server is asked and does its work; the client gets RST instead of the answer
//	truncate=100B               the answer ends in order after so many bytes of its body, and before its end
//	broken-chunk=100B           the body comes in chunks, the one after so many bytes is no chunk
//	wrong-length=-10            Content-Length is off by so much; with more than there is the connection ends behind it
//	garbage=32B                 a header line of random bytes
//	close                       the answer is whole, but the connection is closed behind it without a word before
//
// # Which requests
//
// A [Rule] is one of these, for all requests or for those of a route, for a share of them (@10%) or exactly every third
// (@1/3):
//
//	POST /orders/*: status=503@10%, delay=1s; /slow: delay=5s
//
// Each rule counts the requests it is about; the seed, that number and the rule's text decide. So the same seed spoils the
// same requests of a rule, counted in the order in which they came. All delays of a request add up; of the others the first
// one wins. What was done to which request is in [Proxy.Events]; so is what could not be done: an answer without a body
// cannot be truncated.
package httpfault
