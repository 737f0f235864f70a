package http1

import (
	"time"

	"holdfast/exchange"
)

// Relaying is what a gateway adds to a response and decides about it.
type Relaying struct {
	ID     string        // of X-Request-Id
	Cookie string        // a Set-Cookie to add, or ""
	Date   []byte        // for answers without one, see AppendDate
	Cold   time.Duration // of X-Holdfast-Cold-Start; 0: there is none
	// Chunked: the body follows in chunks, whatever it came in.
	Chunked bool
	Close   bool // the connection ends with the answer
	Old     bool // the client speaks HTTP/1.0
}

// AppendTo appends the head the client gets.
func (r *Response) AppendTo(dst []byte, c *Relaying) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = appendDecimal(dst, int64(r.status))
	dst = append(append(append(dst, ' '), r.reason.of(r.buf)...), '\r', '\n')
	dated := false
	for i := range r.fields {
		f := &r.fields[i]
		switch f.kind { //nolint:exhaustive // the others pass
		case kindXRequestID, kindContentLength:
			continue
		case kindDate:
			dated = true
		}
		if !f.kind.hopByHop() && !r.isNamed(f.name.of(r.buf)) {
			dst = appendField(dst, f.name.of(r.buf), f.value.of(r.buf))
		}
	}
	dst = append(append(append(dst, "X-Request-Id: "...), c.ID...), '\r', '\n')
	if !dated && r.status >= 200 {
		dst = append(append(append(dst, "Date: "...), c.Date...), '\r', '\n')
	}
	if c.Cold > 0 {
		dst = append(append(dst, exchange.ColdStartHeader...), ": "...)
		dst = append(appendDecimal(dst, c.Cold.Milliseconds()), '\r', '\n')
	}
	if c.Cookie != "" {
		dst = append(append(append(dst, "Set-Cookie: "...), c.Cookie...), '\r', '\n')
	}
	dst = r.appendLength(dst, c)
	return appendConnection(dst, c.Close, c.Old)
}

// appendLength says how long the body is. What an answer to HEAD says about
// the body it has not is passed on.
func (r *Response) appendLength(dst []byte, c *Relaying) []byte {
	switch {
	case c.Chunked:
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case r.framing == Chunked || r.framing == UntilClose, r.status < 200 || r.status == 204:
		return dst // until close, or no body at all
	case r.lengths > 0:
		dst = append(dst, "Content-Length: "...)
		return append(appendDecimal(dst, r.length), '\r', '\n')
	}
	return dst
}

// appendConnection ends a head.
func appendConnection(dst []byte, closes, old bool) []byte {
	switch {
	case closes:
		dst = append(dst, "Connection: close\r\n"...)
	case old:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, '\r', '\n')
}

// AppendDate appends a time as Date has it. One a second is enough for all.
func AppendDate(dst []byte, now time.Time) []byte {
	return now.UTC().AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
}

// Local is an answer a gateway gives itself.
type Local struct {
	Status int
	Reason string // of the status line
	ID     string
	Date   []byte
	Fields []byte // further lines, each with CRLF
	Body   string
	Head   bool // the request was a HEAD: the body is only measured
	Close  bool
	Old    bool // the client speaks HTTP/1.0
}

// AppendTo appends the answer.
func (a *Local) AppendTo(dst []byte) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = appendDecimal(dst, int64(a.Status))
	dst = append(append(append(dst, ' '), a.Reason...), "\r\nX-Request-Id: "...)
	dst = append(append(append(dst, a.ID...), "\r\nDate: "...), a.Date...)
	dst = append(append(dst, '\r', '\n'), a.Fields...)
	bodyless := a.Status < 200 || a.Status == 204 || a.Status == 304
	if !bodyless {
		dst = append(dst, "Content-Length: "...)
		dst = append(appendDecimal(dst, int64(len(a.Body))), '\r', '\n')
	}
	dst = appendConnection(dst, a.Close, a.Old)
	if !a.Head && !bodyless {
		dst = append(dst, a.Body...)
	}
	return dst
}
