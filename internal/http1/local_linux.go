package http1

import (
	"math"
	"net/http"
	"strings"

	"holdfast/exchange"
)

// tell answers with a reason of the gateway's own.
func (f *flight) tell(status int, reason string) {
	a := Local{Status: status}
	f.explain(&a, reason)
	f.writeLocal(&a)
}

// explain gives an answer a body: a line of text, or what the client prefers.
func (f *flight) explain(a *Local, reason string) {
	kind := plainText
	if write := f.loop.config.Problem; write != nil {
		kind, a.Body = write(f.request.values("Accept"), a.Status, reason, f.forward.ID)
	} else {
		var b [4]byte
		a.Body = string(appendDecimal(b[:0], int64(a.Status))) + " " + reason + "\n"
	}
	a.Fields = appendField(a.Fields, []byte("Cache-Control"), []byte("no-store"))
	a.Fields = appendField(a.Fields, []byte("Content-Type"), []byte(kind))
}

// local gives the answer the machine decided on.
func (f *flight) local(step exchange.Step) {
	a := Local{Status: step.Answer.Status}
	if after := step.Answer.RetryAfter; after > 0 {
		a.Fields = appendDecimal(append(a.Fields, "Retry-After: "...), int64(math.Ceil(after.Seconds())))
		a.Fields = append(a.Fields, '\r', '\n')
	}
	if fb := step.Answer.Fallback; fb != nil {
		f.fallback(&a, fb)
	} else {
		f.explain(&a, step.Reason.String())
	}
	f.writeLocal(&a)
}

// fallback is the answer the configuration has for such a case.
func (f *flight) fallback(a *Local, fb *exchange.Fallback) {
	a.Body = fb.Body
	stored, typed := false, fb.Body == ""
	for name, value := range fb.Header {
		a.Fields = appendField(a.Fields, []byte(name), []byte(value))
		stored = stored || strings.EqualFold(name, "Cache-Control")
		typed = typed || strings.EqualFold(name, "Content-Type")
	}
	if fb.Redirect != "" {
		a.Fields = appendField(a.Fields, []byte("Location"), []byte(fb.Location(f.ask.Path, f.request.Query())))
	}
	if !stored {
		a.Fields = appendField(a.Fields, []byte("Cache-Control"), []byte("no-store"))
	}
	if !typed {
		a.Fields = appendField(a.Fields, []byte("Content-Type"), []byte(plainText))
	}
}

func (f *flight) writeLocal(a *Local) {
	l := f.loop
	a.ID, a.Date, a.Reason = f.forward.ID, l.today(), http.StatusText(a.Status)
	a.Head = f.request.Method() == http.MethodHead
	f.keep = f.keep && !l.parting
	a.Close, a.Old = !f.keep, f.request.Minor() == 0
	l.head = a.AppendTo(l.head[:0])
	f.client.state = relaying
	f.ended = true
	if f.client.send(l.head) {
		f.moved()
		f.taken()
	}
}
