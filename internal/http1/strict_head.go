package http1

// appendPlain appends the head as it was understood, for a server that will
// decide itself what passes on: a target without a host, one Host, one
// statement about the body, and no name that a server could take for another.
// Fields about the connection stay.
func (r *Request) appendPlain(dst []byte) []byte {
	dst = append(append(dst, r.Method()...), ' ')
	dst = append(append(append(dst, r.Path()...), r.query()...), " HTTP/1."...)
	dst = append(dst, '0'+r.minor, '\r', '\n')
	if r.hosts > 0 || r.absolute {
		dst = appendField(dst, []byte("Host"), r.host.of(r.buf))
	}
	dst = r.appendOthers(dst, kindHost)
	return append(r.appendFraming(dst), '\r', '\n')
}

// query is Query for targets without one too.
func (r *Request) query() string {
	if r.about {
		return ""
	}
	return r.Query()
}

// appendPlain appends the head as it was understood.
func (r *Response) appendPlain(dst []byte) []byte {
	dst = append(append(dst, "HTTP/1."...), '0'+r.minor, ' ')
	dst = append(appendDecimal(dst, int64(r.status)), ' ')
	dst = append(append(dst, r.reason.of(r.buf)...), '\r', '\n')
	dst = r.appendOthers(dst, plain)
	if r.status >= 200 && r.status != 204 {
		dst = r.appendFraming(dst)
	}
	return append(dst, '\r', '\n')
}

// appendOthers appends all fields that do not frame the message, but those of
// one kind and the twins of fields somebody relies on.
func (h *head) appendOthers(dst []byte, but kind) []byte {
	for i := range h.fields {
		switch f := &h.fields[i]; f.kind { //nolint:exhaustive // the others pass
		case kindContentLength, kindTransferEncoding, kindTwin:
		case plain:
			dst = appendField(dst, f.name.of(h.buf), f.value.of(h.buf))
		default:
			if f.kind != but {
				dst = appendField(dst, f.name.of(h.buf), f.value.of(h.buf))
			}
		}
	}
	return dst
}
