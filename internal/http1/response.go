package http1

// Response is the head of a response; see Request for how it is used.
type Response struct {
	head
	status int
	reason span
}

// Reset forgets the head and sets the limits of the next.
func (r *Response) Reset(l Limits) {
	r.reset(l)
	*r = Response{head: r.head}
}

// Parse reads a head from the start of buf as Request.Parse does. headOnly says
// that the request was a HEAD, whose answer has no body whatever it says. A 1xx
// head is one like any other: the final one follows in the bytes after it.
func (r *Response) Parse(buf []byte, headOnly bool) (n int, err error) {
	n, err = r.parse(buf, r.statusLine)
	if n == 0 || err != nil {
		return 0, err
	}
	if err := r.frame(UntilClose); err != nil {
		return 0, err
	}
	if headOnly || r.status < 200 || r.status == 204 || r.status == 304 {
		r.framing = NoBody
	}
	return n, nil
}

// statusLine reads HTTP/1.d SP 3DIGIT [SP reason].
func (r *Response) statusLine(line span) error {
	b := line.of(r.buf)
	if len(b) < 12 || b[8] != ' ' {
		return ErrStatusLine
	}
	minor, fault := version(b[:8])
	if fault != errNone {
		return ErrStatusLine
	}
	r.minor = minor
	for _, c := range b[9:12] {
		if c < '0' || c > '9' {
			return ErrStatusLine
		}
		r.status = r.status*10 + int(c-'0')
	}
	if r.status < 100 || len(b) > 12 && b[12] != ' ' {
		return ErrStatusLine
	}
	for _, c := range b[12:] {
		if isControl(c) {
			return faultOfControl(c)
		}
	}
	r.reason = span{line.from + uint32(min(13, len(b))), line.to}
	return nil
}

// Status is the status code, 100 to 999.
func (r *Response) Status() int { return r.status }

// Reusable says whether the connection can carry another request once the body
// has been read to its end.
func (r *Response) Reusable() bool {
	return r.KeepAlive() && r.framing != UntilClose && r.status != 101
}
