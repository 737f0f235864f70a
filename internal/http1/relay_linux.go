package http1

import (
	"net/http"

	"golang.org/x/sys/unix"

	"holdfast/exchange"
	"holdfast/retry"
)

// readOn reads what the instance has to say, as long as the client takes it.
func (f *flight) readOn(u *upstream) {
	l := f.loop
	for turn := 0; f.ready(u); turn++ {
		if turn == maxTurns {
			if !u.waits {
				u.waits = true
				l.busy = append(l.busy, u) // others have waited long enough
			}
			return
		}
		n, err := readSocket(u.fd, l.in[headroom:headroom+answerBuffer])
		switch {
		case err == unix.EAGAIN:
			u.readable = false
		case err != 0 || n == 0:
			u.hup, u.spoiled = true, true
			f.closed(err == 0)
		default:
			u.readable = u.hup || n == answerBuffer
			f.answered = true
			f.came(headroom, headroom+n)
		}
	}
}

func (f *flight) ready(u *upstream) bool {
	return f.up == u && u.flight == f && u.readable && !u.connecting && len(f.client.out) == 0 && !f.ended
}

// came handles bytes of an answer, which are in.[from:to] of the loop.
func (f *flight) came(from, to int) {
	if f.client.state == relaying {
		f.pass(from, to, nil)
		return
	}
	l := f.loop
	buf := l.in[from:to]
	if len(f.partial) > 0 {
		f.partial = append(f.partial, buf...)
		buf = f.partial
	}
	for {
		n, err := f.response.Parse(buf, f.ask.Method == http.MethodHead)
		switch {
		case err != nil:
			f.fail(retry.Reset, true)
			return
		case n == 0:
			f.partial = append(f.partial[:0], buf...)
			return
		case f.response.status == http.StatusSwitchingProtocols: // nobody asked
			f.fail(retry.Reset, true)
			return
		case f.response.status >= 200:
			rest := buf[n:]
			if len(f.partial) > 0 {
				to = headroom + copy(l.in[headroom:headroom+answerBuffer], rest)
				from = headroom
			} else {
				from = to - len(rest)
			}
			f.headCame(from, to)
			return
		}
		if !f.inform() {
			return
		}
		buf = buf[n:]
		f.response.Reset(Limits{})
	}
}

// inform passes a 1xx answer on; false: the client is gone, or the instance has
// informed it often enough. Not 100: nobody waits for it. HTTP/1.0 knows no such
// thing.
func (f *flight) inform() bool {
	if f.informed++; f.informed > exchange.MaxInforms {
		f.fail(retry.Reset, true)
		return false
	}
	if f.response.status == http.StatusContinue || f.request.Minor() == 0 {
		return true
	}
	f.loop.head = f.response.AppendTo(f.loop.head[:0], &Relaying{ID: f.forward.ID})
	return f.client.send(f.loop.head)
}

// headCame asks the machine what to make of an answer.
func (f *flight) headCame(from, to int) {
	l, r := f.loop, &f.response
	h := exchange.Head{Status: r.status, Replayable: f.replayable()}
	if v, ok := r.value(kindRetryAfter); ok {
		h.RetryAfter = retry.ParseRetryAfter(lent(v), l.now)
	}
	h.Long = exchange.LongAnswer(lent(r.first(kindContentType)))
	step := f.x.Head(f.attempt, h, l.now)
	if step.Do != exchange.Relay {
		f.discard(to - from)
		f.follow(step)
		return
	}
	f.startRelay(step)
	f.pass(from, to, l.head)
}

// discard drops an answer nobody wants; n bytes of its body are there.
func (f *flight) discard(n int) {
	u := f.up
	f.up, f.attempt = nil, noAttempt
	whole := f.response.Framing() == NoBody && n == 0 || f.response.Framing() == Sized && f.response.Length() == int64(n)
	u.spoiled = u.spoiled || !whole || !f.response.Reusable()
	u.free()
}

func (f *flight) startRelay(step exchange.Step) {
	l, r := f.loop, &f.response
	old := f.request.Minor() == 0
	endless := r.Framing() == Chunked || r.Framing() == UntilClose
	f.keep = f.keep && !l.parting && (!endless || !old)
	f.left = r.Length()
	f.relay = Relaying{ID: f.forward.ID, Date: l.today(), Cold: step.Cold, Chunked: endless && !old, Close: !f.keep, Old: old}
	if step.SetCookie != "" && l.config.Cookie != nil {
		f.relay.Cookie = l.config.Cookie(step, f.forward.Proto)
	}
	l.head = r.AppendTo(l.head[:0], &f.relay)
	f.client.state = relaying
}

// pass gives the client a part of the body, behind head where that is still to
// be sent.
func (f *flight) pass(from, to int, head []byte) {
	l, u := f.loop, f.up
	data, used, end, err := f.body(l.in[from:to])
	if used < to-from || !f.response.Reusable() {
		u.spoiled = true // what follows an answer nobody asked for
	}
	f.bytes += int64(len(data))
	to = from + len(data)
	out := l.in[:to]
	if f.relay.Chunked {
		if len(data) > 0 {
			var size [ChunkHead]byte
			chunk := AppendChunkHead(size[:0], len(data))
			from -= copy(l.in[from-len(chunk):], chunk)
			out = append(out, '\r', '\n')
		}
		if end {
			out = appendEnd(out, &f.chunks, f.request.Trailers() && f.response.Framing() == Chunked)
		}
	}
	switch {
	case !f.write(out, from, head):
	case err != nil:
		f.broken(retry.Reset)
	case end:
		f.finished()
	default:
		f.moved()
	}
}

func appendEnd(out []byte, c *ChunkReader, trailers bool) []byte {
	if !trailers {
		c = nil
	}
	return AppendLastChunk(out, c)
}

// write sends out[from:] behind head, in one piece where there is room for the
// head before it; false: the client is gone.
func (f *flight) write(out []byte, from int, head []byte) bool {
	switch {
	case len(head) == 0:
	case len(head) <= from:
		from -= len(head)
		copy(out[from:], head)
	case !f.client.send(head):
		return false
	}
	return len(out) == from || f.client.send(out[from:])
}

// body takes the answer's data out of b, in place.
func (f *flight) body(b []byte) (data []byte, used int, end bool, err error) {
	switch f.response.Framing() {
	case Sized:
		n := int(min(f.left, int64(len(b))))
		f.left -= int64(n)
		return b[:n], n, f.left == 0, nil
	case Chunked:
		data, used, err = f.chunks.Decode(b)
		return data, used, f.chunks.Done(), err
	case UntilClose:
		return b, len(b), false, nil
	case NoBody:
	}
	return nil, 0, true, nil
}

// closed handles the end of the instance's side; clean: it was no reset.
func (f *flight) closed(clean bool) {
	switch {
	case f.client.state != relaying:
		f.fail(retry.Reset, true)
	case clean && f.response.Framing() == UntilClose:
		if !f.relay.Chunked || f.client.send(AppendLastChunk(f.loop.head[:0], nil)) {
			f.finished()
		}
	default:
		f.broken(retry.Reset)
	}
}

// finished ends an attempt whose answer is complete.
func (f *flight) finished() {
	u := f.up
	f.up, f.ended = nil, true
	u.free()
	f.taken()
}

// taken goes on when the client took all that was kept for it.
func (f *flight) taken() {
	c := f.client
	switch {
	case len(c.out) > 0:
	case f.ended:
		f.land()
	case f.up != nil:
		f.readOn(f.up)
	}
}

// land closes the books on an exchange whose answer the client has.
func (f *flight) land() {
	l, c, keep, used, last := f.loop, f.client, f.keep, f.requestLen(), !f.request.KeepAlive()
	if f.attempt != noAttempt {
		f.x.Done(f.attempt, exchange.Outcome{Kind: retry.OK, Sent: true, Bytes: f.bytes}, l.now)
	}
	f.x.End(l.now)
	c.flight = nil
	l.putFlight(f)
	switch {
	case keep:
		c.next(used)
	case last && used == c.have && !c.readable && c.secure == nil:
		c.abandon() // it said that nothing follows
	default:
		c.end()
	}
}

// moved gives both sides time again.
func (f *flight) moved() {
	if c := f.client; c.state == relaying {
		c.setTimer(c.patience(f.x.Idle()))
	}
}

// stalled ends an answer that did not move for timeouts.idle, unless the client
// has something to take: then it decides what that one did take.
func (f *flight) stalled() {
	if len(f.client.out) > 0 {
		f.client.hurry(f.x.Idle())
		return
	}
	f.broken(retry.Timeout)
}

// broken ends an answer that broke off, so that the client sees it.
func (f *flight) broken(k retry.Kind) {
	f.done(k, true)
	if f.request.Minor() == 0 && f.response.Framing() != Sized {
		f.client.reset()
		return
	}
	f.client.abandon()
}
