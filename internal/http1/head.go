package http1

import "bytes"

// Limits bound a head; a field that is 0 takes its default.
type Limits struct {
	Line   int // bytes of the request line: 16 KiB
	Head   int // bytes of the whole head: 64 KiB
	Fields int // header lines: 256
}

const (
	defaultLine   = 16 << 10
	defaultHead   = 64 << 10
	defaultFields = 256
	maxMethod     = 24 // the longest registered has 17
)

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Line, defaultLine)
	set(&l.Head, defaultHead)
	set(&l.Fields, defaultFields)
	l.Head = min(l.Head, 1<<30) // offsets have 32 bits
	return l
}

// Framing says how long a body is.
type Framing uint8

// The framings.
const (
	NoBody     Framing = iota
	Sized              // Length bytes
	Chunked            // until the last chunk
	UntilClose         // of responses: until the connection ends, which then cannot tell a whole body from a part
)

// head is what requests and responses have in common. It reads line by line and
// goes on where it stopped when more bytes have come.
type head struct {
	limits Limits
	buf    []byte // of the last call
	line   int    // start of the line that is read next
	seen   int    // up to here there is no line end
	begun  bool   // the first line was read
	fields []field

	minor    uint8 // of HTTP/1.x
	framing  Framing
	length   int64 // of a Sized body
	lengths  int   // digits of the Content-Length that came
	codings  bool  // a Transfer-Encoding came
	closing  bool  // Connection: close
	keeping  bool  // Connection: keep-alive
	upgrades bool  // Connection: upgrade
	lists    bool  // Connection names other fields
	trailers bool  // TE: trailers
}

func (h *head) reset(l Limits) { *h = head{limits: l.withDefaults(), fields: h.fields[:0]} }

// next returns the next line without its CRLF; ok is false when it has not come
// as a whole.
func (h *head) next() (line span, ok bool, err error) {
	end := bytes.IndexByte(h.buf[h.seen:], '\n')
	if end < 0 {
		h.seen = len(h.buf)
		return span{}, false, nil
	}
	end += h.seen
	if end == h.line || h.buf[end-1] != '\r' {
		return span{}, false, ErrLineEnd
	}
	line = span{uint32(h.line), uint32(end - 1)}
	h.line, h.seen = end+1, end+1
	return line, true, nil
}

// parse reads what there is of a head; n is its length once it is complete, and
// 0 before. first reads the first line.
func (h *head) parse(buf []byte, first func(span) error) (n int, err error) {
	h.buf = buf
	for {
		line, ok, err := h.next()
		if err == nil && !ok {
			err = h.tooLong(len(buf))
		}
		switch {
		case err != nil:
			return 0, err
		case !ok:
			return 0, nil
		case !h.begun:
			h.begun = true
			err = first(line)
		case h.line > h.limits.Head:
			return 0, ErrHeadLength
		case line.from == line.to:
			return h.line, nil
		default:
			err = h.addField(line)
		}
		if err != nil {
			return 0, err
		}
	}
}

// tooLong is what a head that is not complete may already be.
func (h *head) tooLong(n int) error {
	switch {
	case !h.begun && n > h.limits.Line:
		return ErrLineLength
	case n > h.limits.Head:
		return ErrHeadLength
	}
	return nil
}

// addField reads "name: value".
func (h *head) addField(line span) error {
	if len(h.fields) == h.limits.Fields {
		return ErrHeadLength
	}
	b := line.of(h.buf)
	if b[0] == ' ' || b[0] == '\t' {
		return ErrFieldFold
	}
	colon, twin := 0, false
	for colon < len(b) && isTchar(b[colon]) {
		twin = twin || b[colon] == '_'
		colon++
	}
	if colon == 0 || colon == len(b) || b[colon] != ':' {
		return ErrFieldName
	}
	from, to := colon+1, len(b)
	for from < to && (b[from] == ' ' || b[from] == '\t') {
		from++
	}
	for from < to && (b[to-1] == ' ' || b[to-1] == '\t') {
		to--
	}
	for _, c := range b[from:to] {
		if isControl(c) {
			return faultOfControl(c)
		}
	}
	f := field{
		name:  span{line.from, line.from + uint32(colon)},
		value: span{line.from + uint32(from), line.from + uint32(to)},
	}
	if twin {
		f.kind = kindOfTwin(b[:colon])
	} else {
		f.kind = kindOf(b[:colon])
	}
	h.fields = append(h.fields, f)
	return h.note(f.kind, b[from:to])
}

func faultOfControl(c byte) SyntaxError {
	if c == '\r' {
		return ErrLineEnd
	}
	return ErrFieldValue
}

// note acts upon the fields that frame a message or concern the connection.
func (h *head) note(k kind, value []byte) error {
	switch k { //nolint:exhaustive // the others are only passed on
	case kindContentLength:
		return h.noteLength(value)
	case kindTransferEncoding:
		if h.codings || h.minor == 0 {
			return ErrCodingCount
		}
		h.codings = true
		if !equalFold(value, "chunked") {
			return ErrCoding
		}
	case kindConnection:
		h.noteConnection(value)
	case kindTrailer:
		return noteTrailer(value)
	case kindTE:
		for len(value) > 0 {
			var part []byte
			part, value = cutList(value)
			h.trailers = h.trailers || equalFold(part, "trailers")
		}
	}
	return nil
}

func noteTrailer(list []byte) error {
	for len(list) > 0 {
		var name []byte
		name, list = cutList(list)
		switch kindOf(name) { //nolint:exhaustive // the others frame nothing
		case kindContentLength, kindTransferEncoding, kindTrailer:
			return ErrTrailer
		}
	}
	return nil
}

// maxLength keeps sums of lengths from overflowing.
const maxLength = 1<<62 - 1

func (h *head) noteLength(value []byte) error {
	var n int64
	for _, c := range value {
		if c < '0' || c > '9' || n > maxLength/10 {
			return ErrLength
		}
		n = n*10 + int64(c-'0')
	}
	if len(value) == 0 || n > maxLength || h.lengths > 0 && (n != h.length || len(value) != h.lengths) {
		return ErrLength
	}
	h.lengths, h.length = len(value), n
	return nil
}

func (h *head) noteConnection(list []byte) {
	for len(list) > 0 {
		var option []byte
		option, list = cutList(list)
		switch {
		case equalFold(option, "close"):
			h.closing = true
		case equalFold(option, "keep-alive"):
			h.keeping = true
		case equalFold(option, "upgrade"):
			h.upgrades = true
		case len(option) > 0:
			h.lists = true
		}
	}
}

// frame decides the framing of a message that may have a body; without is that
// of one that says nothing about it.
func (h *head) frame(without Framing) error {
	switch {
	case h.codings && h.lengths > 0:
		return ErrLengthAndCoding
	case h.codings:
		h.framing = Chunked
	case h.lengths > 0:
		h.framing = Sized
		if h.length == 0 {
			h.framing = NoBody
		}
	default:
		h.framing = without
	}
	return nil
}

// isNamed says whether Connection declares a field hop-by-hop.
func (h *head) isNamed(name []byte) bool {
	if !h.lists {
		return false
	}
	for i := range h.fields {
		if h.fields[i].kind != kindConnection {
			continue
		}
		for list := h.fields[i].value.of(h.buf); len(list) > 0; {
			var option []byte
			if option, list = cutList(list); foldEqual(option, lent(name)) {
				return true
			}
		}
	}
	return false
}

// passes says whether a field belongs to the message rather than the
// connection.
func (h *head) passes(f *field) bool {
	return !f.kind.hopByHop() && (f.kind.guarded() || !h.isNamed(f.name.of(h.buf)))
}

func (h *head) value(k kind) ([]byte, bool) {
	for i := range h.fields {
		if h.fields[i].kind == k {
			return h.fields[i].value.of(h.buf), true
		}
	}
	return nil, false
}

// first is value for those to whom an absent field is an empty one.
func (h *head) first(k kind) []byte {
	v, _ := h.value(k)
	return v
}

// Get returns the first value of a field, in any case, or "". The string is
// valid as long as the buffer is.
func (h *head) Get(name string) string {
	for i := range h.fields {
		f := &h.fields[i]
		if foldEqual(f.name.of(h.buf), name) {
			return lent(f.value.of(h.buf))
		}
	}
	return ""
}

// values returns all values of a field.
func (h *head) values(name string) []string {
	var list []string
	for i := range h.fields {
		if f := &h.fields[i]; foldEqual(f.name.of(h.buf), name) {
			list = append(list, lent(f.value.of(h.buf)))
		}
	}
	return list
}

// Framing says how long the body is.
func (h *head) Framing() Framing { return h.framing }

// Length is the number of bytes of a Sized body.
func (h *head) Length() int64 {
	if h.framing == Sized {
		return h.length
	}
	return 0
}

// Minor is the 1 of HTTP/1.1.
func (h *head) Minor() int { return int(h.minor) }

// KeepAlive says whether the sender means to use the connection again.
func (h *head) KeepAlive() bool { return !h.closing && (h.minor == 1 || h.keeping) }

// Trailers says whether the sender takes trailer fields.
func (h *head) Trailers() bool { return h.trailers }

// Upgrade returns the protocol the sender offers or switches to, or "".
func (h *head) Upgrade() string {
	if !h.upgrades || h.minor == 0 {
		return ""
	}
	v, _ := h.value(kindUpgrade)
	return lent(v)
}

// version reads HTTP/d.d.
func version(b []byte) (minor uint8, err SyntaxError) {
	if len(b) != 8 || string(b[:5]) != "HTTP/" || b[6] != '.' || b[5] < '0' || b[5] > '9' || b[7] < '0' || b[7] > '9' {
		return 0, ErrRequestLine
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, ErrVersion
	}
	return b[7] - '0', errNone
}
