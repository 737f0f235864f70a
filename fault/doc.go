// Package fault breaks connections on purpose, so that it can be seen whether what depends on them heals.
//
// # The proxy
//
// A [Proxy] stands in front of an address and passes bytes on, except for what its faults say:
//
//	             up ───────────────►
//	client ◄──► [ reader ─ queue ─ writer ] ◄──► upstream
//	             ◄─────────────── down
//
// Each direction of each connection has a reader, which notes when bytes came, and a writer, which decides what becomes of
// them. Latency therefore delays and does not throttle: bytes that came together leave together, later.
//
//	latency=200ms~50ms    bytes arrive later; ~ is the jitter, :normal or :exponential its shape
//	bandwidth=64KiB/s     so much per second, connection and direction
//	slice=16B~8B/5ms      small writes of 8 to 24 bytes with pauses of 5 ms
//	limit=10KiB           the connection is closed in order after so many bytes
//	reset, reset=1KiB/2s  RST, at once or after so many bytes and so much time
//	blackhole             nothing passes, nothing is lost: with the fault gone the bytes go on, as after lost packets
//	half-open             one direction swallows all and tells nobody, like a peer that lost its power; such a
//	                      connection cannot be healed: bytes that come when the fault is gone are answered by RST
//
// An item that begins with up. or down. is about that direction alone, and @10% lets it strike one connection in ten.
// [Parse] reads such text, which is also what a [Fault] is in YAML and JSON. A proxy cannot refuse a connection or leave
// a SYN without an answer, because the kernel accepts before it: package sysfault does that.
//
// # Which connections, and when
//
// The faults in force are one set, swapped as a whole ([Proxy.Set]) also for connections that exist; a timeline of
// [Step]s adds faults for a while. Whether a connection is hit is decided once per connection and fault from the seed, the
// number of the connection, and the fault's text: the same seed hits the same connections, in whatever order their bytes
// come. What struck whom, and when, is in [Proxy.Events] and told to Config.OnEvent.
//
// # Requests and machines
//
// Package httpfault does the same for single HTTP requests on kept connections, where a share of connections says
// nothing. Package sysfault kills and freezes processes, takes CPU time, memory, network and disk from them, and gives
// back everything even when the program that took it is killed.
package fault
