package http1

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/exchange"
	"holdfast/retry"
)

const noAttempt = -1

// flight is a request under way. The loop keeps it for the next one.
type flight struct {
	loop     *loop
	client   *client
	up       *upstream
	x        exchange.Exchange
	ask      exchange.Request
	unclear  error // why the path cannot be understood
	request  Request
	response Response
	chunks   ChunkReader
	forward  Forwarding
	relay    Relaying
	id       [32]byte
	trace    [exchange.Traceparent]byte
	lower    []byte             // the host, where it has capitals
	partial  []byte             // the part of an answer's head that came
	headLen  int                // of the request; 0: it is not complete
	function *exchange.Function // that the machine chose first
	options  Options            // of that
	dial     dial
	step     exchange.Step
	attempt  int   // the one under way, or noAttempt
	bytes    int64 // of the answer's body
	left     int64 // of a sized body
	informed int   // 1xx answers in this try
	raced    bool  // a reused connection had been closed
	answered bool  // a byte of an answer came in this try
	keep     bool  // the client's connection, after the answer
	ended    bool  // all is written but what the client did not take yet
	slow     bool  // the client is too slow
}

// reset lets go of what belongs to one request.
func (f *flight) reset() {
	f.client, f.up, f.function, f.step = nil, nil, nil, exchange.Step{}
	f.ask, f.unclear, f.forward = exchange.Request{}, nil, Forwarding{}
	f.dial = dial{}
	f.headLen, f.partial = 0, f.partial[:0]
	f.raced, f.answered, f.keep, f.ended, f.slow = false, false, false, false, false
	f.bytes, f.left = 0, 0
	f.request.buf, f.response.buf = nil, nil
}

// Wake implements exchange.Waker.
func (f *flight) Wake() { f.loop.wake(f) }

// wakeUp is Wake on the loop's thread; the flight may be another's by now.
func (f *flight) wakeUp() {
	if c := f.client; c != nil && c.state == waiting {
		defer c.guard()
		f.follow(f.x.Next(f.loop.now))
		c.pump()
	}
}

func (f *flight) requestLen() int { return f.headLen + int(f.request.Length()) }

// carries says whether the loop carries a request of this kind, whose head is
// complete, and notes what it is about.
func (f *flight) carries() bool {
	r := &f.request
	switch m := r.Method(); {
	case r.Framing() == Chunked, r.Length() > int64(requestBuffer-f.headLen), r.Continues(), r.Upgrade() != "":
		return false
	case m == http.MethodOptions || m == http.MethodTrace: // the gateway may be the one to answer
		return false
	}
	path, err := exchange.CleanPath(r.Path())
	f.unclear = err
	f.ask = exchange.Request{Method: r.Method(), Host: f.host(), Path: path, Header: r}
	takes := f.loop.config.Takes
	return err != nil || takes == nil || takes(f.ask.Method, f.ask.Host, path, r)
}

// host is the host the router knows: in lower case, without port.
func (f *flight) host() string {
	host := f.request.Host()
	switch end := strings.LastIndexByte(host, ':'); {
	case strings.HasPrefix(host, "["):
		host = host[1:strings.IndexByte(host, ']')]
	case end >= 0:
		host = host[:end]
	}
	host = strings.TrimSuffix(host, ".")
	for i := range len(host) {
		if 'A' <= host[i] && host[i] <= 'Z' {
			f.lower = append(f.lower[:0], host...)
			for k, c := range f.lower {
				f.lower[k] = lowered(c)
			}
			return lent(f.lower)
		}
	}
	return host
}

// identify fills in who the client is and what the request is called.
func (f *flight) identify() {
	c, r := f.client, &f.request
	f.forward = Forwarding{
		Proto: c.proto(), TLS: c.secure != nil, Via: f.loop.config.Via, Peer: c.peer, Client: c.peer, Trusted: c.trusted,
	}
	if c.trusted {
		f.forward.Client = r.clientBehind(c.peer, f.loop.trusts)
		f.forward.Proto = r.protoBehind(f.forward.Proto)
		if given := lent(r.first(kindXRequestID)); exchange.ValidID(given) {
			f.forward.ID = given
			return
		}
	}
	f.forward.ID = f.newID()
}

func (f *flight) newID() string {
	const hex = "0123456789abcdef"
	for half := range 2 {
		v := rand.Uint64()
		for i := range 16 {
			f.id[16*half+i] = hex[v>>(60-4*i)&15]
		}
	}
	return lent(f.id[:])
}

// begin lets the machine decide about a complete request.
func (f *flight) begin() {
	r := &f.request
	f.identify()
	f.keep = r.KeepAlive()
	if f.unclear != nil {
		f.refuse(f.unclear)
		return
	}
	if r.Loops(f.loop.config.Via) {
		f.tell(http.StatusLoopDetected, "the request came through this gateway before: an instance points back at it")
		return
	}
	f.ask.ID, f.ask.Client, f.ask.Draw = f.forward.ID, f.forward.Client, rand.Uint64()
	f.ask.Trusted, f.ask.Secure = f.forward.Trusted, f.forward.Proto == "https"
	step := f.loop.config.Machine.Begin(&f.x, &f.ask, f, f.loop.now)
	f.function, f.options = f.x.Function(), DefaultOptions()
	if options := f.loop.config.Options; options != nil && f.function != nil {
		f.options = options(f.function)
	}
	f.follow(step)
}

// refuse answers a request that has no meaning; where the next one begins is
// not known.
func (f *flight) refuse(err error) {
	status := http.StatusBadRequest
	if e, ok := errors.AsType[SyntaxError](err); ok {
		status = e.Status()
	}
	if f.forward.ID == "" {
		f.forward.ID = f.newID()
	}
	f.keep = false
	f.tell(status, err.Error())
}

// follow does what the machine says until it has to wait for something.
func (f *flight) follow(step exchange.Step) {
	for {
		switch step.Do {
		case exchange.Wait:
			f.client.state = waiting
			f.client.setTimer(step.Until.Sub(f.loop.start))
			return
		case exchange.Attempt:
			f.step, f.attempt = step, step.Attempt
			f.raced = false
			if f.try() {
				return
			}
			step = f.done(retry.Unreachable, false)
		case exchange.Answer:
			f.local(step)
			return
		case exchange.Relay, exchange.Finished: // the first comes of a head only, the second is an end
			f.client.abandon()
			return
		}
	}
}

// try sends the request to the instance of the step; false: there is no
// connection.
func (f *flight) try() bool {
	p := f.loop.pool(f.step.Instance)
	if p.foreign != nil {
		return f.foreign()
	}
	f.answered, f.informed = false, 0
	f.partial = f.partial[:0]
	f.response.Reset(Limits{})
	f.chunks.Reset()
	if f.raced {
		return f.connect(p)
	}
	u := p.take(!f.repeats())
	if u == nil {
		return f.connect(p)
	}
	f.up, u.flight = u, f
	if f.sendRequest() {
		return true
	}
	f.cut()
	f.raced = true
	return f.connect(p)
}

// sendRequest writes the request as a whole. An error shows when the answer is
// read: the instance may have sent one before it broke the connection. Only a
// connection that had been idle has no answer to give; false: nothing of the
// request went out on it.
func (f *flight) sendRequest() bool {
	l, c, u := f.loop, f.client, f.up
	f.forward.Target, f.forward.Host = f.x.Route().Forward(f.ask.Path), ""
	if f.instanceHost() {
		f.forward.Host = u.pool.at.host
	}
	about := &f.x.Record().Facts
	f.forward.Traceparent, f.forward.Begins = about.AppendTraceparent(f.trace[:0], f.step.Attempt), about.Trace.Begun()
	l.head = f.request.AppendTo(l.head[:0], &f.forward)
	l.head = append(l.head, c.buf[f.headLen:f.requestLen()]...)
	n, err := writeSocket(u.fd, l.head)
	switch {
	case err == unix.EAGAIN:
		n = 0
	case err != 0 && u.reused:
		return false
	case err != 0:
		u.hup, u.readable, u.spoiled = true, true, true
		n = len(l.head)
	}
	u.out = append(u.out[:0], l.head[n:]...)
	c.state = asking
	c.setTimer(f.step.Until.Sub(l.start))
	f.readOn(u)
	return true
}

// instanceHost asks for the function of the attempt, which may be a fallback.
func (f *flight) instanceHost() bool {
	if f.step.Function == f.function {
		return f.options.InstanceHost
	}
	options := f.loop.config.Options
	return options != nil && options(f.step.Function).InstanceHost
}

// replayable says whether the body may be sent again. The first function's
// limit counts, also where another one answers in its place.
func (f *flight) replayable() bool {
	n := f.request.Length()
	return n == 0 || n <= f.options.ReplayLimit
}

func (f *flight) sendMore() {
	u := f.up
	n, err := writeSocket(u.fd, u.out)
	switch {
	case err == unix.EAGAIN:
		return
	case err != 0:
		u.hup, u.readable, u.spoiled = true, true, true
		n = len(u.out)
	}
	u.out = append(u.out[:0], u.out[n:]...)
}

// fail ends an attempt without a head and goes on as the machine says.
func (f *flight) fail(k retry.Kind, sent bool) {
	if f.lostRace(k) {
		f.cut()
		f.raced = true
		if f.try() {
			return
		}
		k, sent = retry.Unreachable, false
	}
	f.follow(f.done(k, sent))
}

// lostRace says whether the instance closed an idle connection while the
// request was on its way, so that it is sent once more without asking anybody.
func (f *flight) lostRace(k retry.Kind) bool {
	return k == retry.Reset && f.up != nil && f.up.reused && !f.raced && !f.answered && f.repeats()
}

// repeats says whether the request may be sent again without asking anybody.
func (f *flight) repeats() bool {
	return f.replayable() && (retry.Idempotent(f.ask.Method, false) || len(f.request.first(kindIdempotencyKey)) > 0)
}

// done reports the end of an attempt.
func (f *flight) done(k retry.Kind, sent bool) exchange.Step {
	f.cut()
	n := f.attempt
	f.attempt = noAttempt
	return f.x.Done(n, exchange.Outcome{Kind: k, Sent: sent, Replayable: f.replayable(), Bytes: f.bytes}, f.loop.now)
}

// cut gives up the connection to the instance, or the wait for one.
func (f *flight) cut() {
	if f.dial.waits {
		f.dial.waits = false
		delete(f.dial.pool.waiting, f)
	}
	f.dropSlow()
	f.drop()
}

func (f *flight) drop() {
	if u := f.up; u != nil {
		f.up = nil
		u.close()
	}
}

// abort ends the flight because the client is gone, or was too slow.
func (f *flight) abort() {
	f.cut()
	if f.slow {
		f.x.AbortSlow(f.loop.now)
	} else {
		f.x.Abort(f.loop.now)
	}
	f.x.End(f.loop.now)
}

func (f *flight) timeOut() {
	switch f.client.state {
	case waiting:
		f.follow(f.x.Next(f.loop.now))
	case connecting:
		f.connectLate()
	case asking:
		if len(f.client.out) > 0 { // a 1xx answer, behind which the instance was not read
			f.client.tooSlow()
			return
		}
		f.fail(retry.Timeout, true)
	case relaying:
		f.stalled()
	case shaking, reading, draining, gone:
	}
}
