package middleware

import (
	"math/rand/v2"
	"net/http"
	"time"

	"holdfast/exchange"
)

// flight is the engine's state of one exchange. Its goroutine alone drives the
// exchange; others only wake it.
type flight struct {
	engine  *Engine
	x       exchange.Exchange
	woken   chan struct{}
	in      inbound
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	body    *replayBody // nil: the request has none
	header  http.Header // what instances get; read-only once made
	try     *try        // the latest attempt
}

// Wake implements exchange.Waker.
func (f *flight) Wake() {
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

// run does what the machine says until the client has its answer. It returns
// false when the client must see a broken connection.
func (f *flight) run() bool {
	step := f.begin()
	for {
		switch step.Do {
		case exchange.Wait:
			if !f.wait(step.Until) {
				return f.abort()
			}
			step = f.x.Next(time.Now())
		case exchange.Attempt:
			var gone bool
			if step, gone = f.attempt(step); gone {
				return f.abort()
			}
		case exchange.Relay:
			return f.relay(step)
		case exchange.Answer:
			f.answer(step)
			return true
		case exchange.Finished:
			return false // not reached: a machine ends with Answer or Relay
		}
	}
}

func (f *flight) begin() exchange.Step {
	q := exchange.Request{
		ID: f.in.id, Method: f.r.Method, Host: f.in.host, Path: f.in.path,
		Header: f.r.Header, Client: f.in.client, Draw: rand.Uint64(), Trusted: f.in.trusted, Secure: f.in.proto == "https",
	}
	step := f.engine.machine.Begin(&f.x, &q, f, time.Now())
	if f.r.Body != nil && f.r.Body != http.NoBody && f.r.ContentLength != 0 {
		var o Options
		if step.Function != nil {
			o = f.engine.options(step.Function)
		}
		f.body = newReplayBody(f.r, o.BodyLimit(), f.control)
	}
	return step
}

// wait returns false when the client left.
func (f *flight) wait(until time.Time) bool {
	f.body.readAhead()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-f.woken:
	case <-timer.C:
	case <-f.r.Context().Done():
	}
	return !f.clientGone()
}

func (f *flight) clientGone() bool {
	return f.r.Context().Err() != nil || f.body.failed() != nil
}

// abort gives the exchange up because the client left, or sent a body that is
// none: then it is still there to be told so.
func (f *flight) abort() bool {
	f.x.Abort(time.Now())
	if f.try != nil {
		f.try.giveUp()
	}
	f.body.settle()
	fault := clientFault(f.body.failed())
	if fault == nil {
		return false
	}
	f.answerEarly()
	fault.write(f.w, f.r, f.in.id)
	return true
}

// answerEarly readies the connection for an answer that comes before the end
// of the request. HTTP/1.1 servers would read on before they answer, which
// never ends when the client waits for the answer; and what is left of the
// request must not be taken for the next one, so the connection ends with it.
func (f *flight) answerEarly() {
	if f.body.ended() {
		return
	}
	if f.r.ProtoMajor == 1 {
		_ = f.control.EnableFullDuplex() // where it is not known, it is not needed
		f.w.Header().Set("Connection", "close")
	}
}
