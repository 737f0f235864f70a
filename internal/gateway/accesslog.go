package gateway

import (
	"encoding/hex"
	"strconv"
	"sync/atomic"

	"holdfast/exchange"
	"holdfast/internal/telemetry"
	"holdfast/retry"
)

// Access says which exchanges are logged.
type Access uint32

const (
	// AccessFailed logs failed exchanges and those with more than one attempt.
	AccessFailed Access = iota
	// AccessAll logs every exchange.
	AccessAll
	// AccessOff logs none.
	AccessOff
)

// accessLog writes exchanges to a log, on the thread of whoever served them.
type accessLog struct {
	lines *telemetry.Lines // nil: nobody wants them
	which atomic.Uint32
}

// SetAccess says which exchanges are logged from now on.
func (g *Gateway) SetAccess(a Access) { g.access.which.Store(uint32(a)) }

// DroppedLogs is how many access log entries were dropped because the log
// could not keep up.
func (g *Gateway) DroppedLogs() uint64 {
	if g.access.lines == nil {
		return 0
	}
	return g.access.lines.Dropped()
}

func (l *accessLog) wants(r *exchange.Record) bool {
	if l.lines == nil || !l.lines.Enabled() {
		return false
	}
	switch Access(l.which.Load()) {
	case AccessAll:
		return true
	case AccessFailed:
		return r.Failed() || r.N > 1
	case AccessOff:
	}
	return false
}

func (l *accessLog) observe(r *exchange.Record) {
	if !l.wants(r) {
		return
	}
	line := l.lines.Begin(r.Start.Add(r.Took))
	line.Text("id", r.ID.Bytes())
	if r.Trace.Known() {
		var id [32]byte
		line.Words("trace_id", hex.AppendEncode(id[:0], r.Trace.ID[:]))
	}
	line.Text("method", r.Method.Bytes())
	line.Text("host", r.Host.Bytes())
	line.Text("path", r.Path.Bytes())
	var client [64]byte
	line.Words("client", r.Client.AppendTo(client[:0]))
	line.Int("status", int64(r.Status))
	line.Millis("head_ms", r.Head)
	line.Millis("took_ms", r.Took)
	line.Int("bytes", r.Bytes)
	if r.Function != nil {
		line.Word("function", r.Function.Name())
	}
	if r.Reason != exchange.ReasonNone {
		line.Word("reason", r.Reason.String())
	}
	var room [512]byte // some attempts usually fit in
	if line.JSON() {
		line.Raw("attempts", jsonAttempts(room[:0], r))
	} else {
		line.Words("attempts", plainAttempts(room[:0], r))
	}
	line.Add()
}

// then is what the retry rule said to an attempt; "" if it was not asked.
func then(a *exchange.AttemptRecord) string {
	if a.Kind == retry.OK || a.Kind == retry.Canceled {
		return ""
	}
	return a.Decision.Reason.String()
}

// reason is why an attempt failed; "" if it did not.
func reason(a *exchange.AttemptRecord) string {
	if a.Reason == exchange.ReasonNone {
		return ""
	}
	return a.Reason.String()
}

// jsonAttempts leaves out what there is nothing to say about. upload_ms is the
// part of took_ms that was spent waiting for the client's body.
func jsonAttempts(b []byte, r *exchange.Record) []byte {
	b = append(b, '[')
	for i := range r.Attempts[:r.N] {
		a := &r.Attempts[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = telemetry.AppendJSON(append(b, `{"instance":`...), a.Instance.ID())
		if a.Status != 0 {
			b = strconv.AppendUint(append(b, `,"status":`...), uint64(a.Status), 10)
		}
		if s := reason(a); s != "" {
			b = telemetry.AppendJSON(append(b, `,"reason":`...), s)
		}
		b = telemetry.AppendMillis(append(b, `,"took_ms":`...), max(a.Head, a.Took))
		if a.Upload > 0 {
			b = telemetry.AppendMillis(append(b, `,"upload_ms":`...), a.Upload)
		}
		if s := then(a); s != "" {
			b = telemetry.AppendJSON(append(b, `,"then":`...), s)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// plainAttempts says the same in the other format.
func plainAttempts(b []byte, r *exchange.Record) []byte {
	b = append(b, '[')
	for i := range r.Attempts[:r.N] {
		a := &r.Attempts[i]
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, "{Instance:"...), a.Instance.ID()...)
		b = strconv.AppendUint(append(b, " Status:"...), uint64(a.Status), 10)
		b = append(append(b, " Reason:"...), reason(a)...)
		b = telemetry.AppendMillis(append(b, " TookMS:"...), max(a.Head, a.Took))
		b = telemetry.AppendMillis(append(b, " UploadMS:"...), a.Upload)
		b = append(append(b, " Then:"...), then(a)...)
		b = append(b, '}')
	}
	return append(b, ']')
}
