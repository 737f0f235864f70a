package http1

const (
	maxChunkDigits = 15 // 2^60 bytes: no sum of chunks that anybody sends overflows
	maxExtension   = 4 << 10
	maxExtensions  = 16 << 10 // in all chunks of a body: they are bytes nobody gets
	maxTrailers    = 8 << 10
)

// chunkState is what a decoder reads next.
type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailers
	chunkDone
)

// ChunkReader takes a chunked body apart, in pieces of any size. The zero value
// is ready for a body.
type ChunkReader struct {
	state     chunkState
	digits    uint8
	left      int64 // of the chunk
	extension int   // bytes of this line's
	wasted    int   // bytes of all extensions
	trailer   []byte
	fields    head
}

// Reset readies the reader for another body.
func (c *ChunkReader) Reset() {
	*c = ChunkReader{trailer: c.trailer[:0], fields: c.fields}
}

// Next reads from b until it finds data or b ends. It returns the data, which
// is a part of b, and how many bytes of b are behind it; call it again with the
// others. Data is empty when b has none, or the body is complete: see Done.
func (c *ChunkReader) Next(b []byte) (data []byte, used int, err error) {
	for used < len(b) && c.state != chunkDone {
		switch c.state {
		case chunkData:
			n := int(min(c.left, int64(len(b)-used)))
			data = b[used : used+n]
			if c.left -= int64(n); c.left == 0 {
				c.state = chunkDataCR
			}
			return data, used + n, nil
		case chunkTrailers:
			n, err := c.addTrailer(b[used:])
			if err != nil {
				return nil, used, err
			}
			used += n
		case chunkSize, chunkExtension, chunkSizeLF, chunkDataCR, chunkDataLF, chunkDone:
			if err := c.step(b[used]); err != nil {
				return nil, used, err
			}
			used++
		}
	}
	return nil, used, nil
}

// step reads one byte around the data.
func (c *ChunkReader) step(b byte) error {
	switch c.state {
	case chunkSize:
		return c.sizeByte(b)
	case chunkExtension:
		return c.extensionByte(b)
	case chunkSizeLF:
		if b != '\n' {
			return ErrChunkEnd
		}
		c.wasted += c.extension
		c.digits, c.extension, c.state = 0, 0, chunkData
		if c.left == 0 {
			c.state = chunkTrailers
		}
	case chunkDataCR:
		if b != '\r' {
			return ErrChunkEnd
		}
		c.state = chunkDataLF
	case chunkDataLF:
		if b != '\n' {
			return ErrChunkEnd
		}
		c.state = chunkSize
	case chunkData, chunkTrailers, chunkDone:
	}
	return nil
}

func (c *ChunkReader) sizeByte(b byte) error {
	v, ok := unhex(b)
	switch {
	case ok && c.digits < maxChunkDigits:
		c.left = c.left<<4 | int64(v)
		c.digits++
		return nil
	case ok || c.digits == 0:
		return ErrChunkSize
	case b == '\r':
		c.state = chunkSizeLF
		return nil
	case b == ';':
		c.state = chunkExtension
		return nil
	}
	return ErrChunkSize
}

func (c *ChunkReader) extensionByte(b byte) error {
	c.extension++
	switch {
	case b == '\r':
		c.state = chunkSizeLF
	case isControl(b), c.extension > maxExtension, c.wasted+c.extension > maxExtensions:
		return ErrChunkExtension
	}
	return nil
}

// addTrailer keeps the trailers until their end and checks each line like one
// of a head.
func (c *ChunkReader) addTrailer(b []byte) (n int, err error) {
	if len(c.trailer) == 0 {
		c.fields.reset(Limits{Head: maxTrailers, Fields: 64})
		c.fields.begun, c.fields.minor = true, 1
	}
	before := len(c.trailer)
	c.trailer = append(c.trailer, b[:min(len(b), maxTrailers+2-before)]...)
	end, err := c.fields.parse(c.trailer, nil)
	switch {
	case err == ErrHeadLength: //nolint:errorlint // a SyntaxError, and nothing around it
		return 0, ErrTrailerLength
	case err != nil:
		return 0, err
	case end == 0:
		return len(c.trailer) - before, nil
	}
	c.state, c.trailer = chunkDone, c.trailer[:end]
	return end - before, nil
}

// Done says whether the body is complete.
func (c *ChunkReader) Done() bool { return c.state == chunkDone }

// AppendTrailers appends the trailer fields that may be passed on: none that
// frames, routes or authenticates (RFC 9110, 6.5.1).
func (c *ChunkReader) AppendTrailers(dst []byte) []byte {
	if !c.Done() {
		return dst
	}
	for i := range c.fields.fields {
		f := &c.fields.fields[i]
		name := f.name.of(c.trailer)
		if f.kind.hopByHop() || f.kind.guarded() || f.kind == kindTwin || hasContentPrefix(name) {
			continue
		}
		dst = appendField(dst, name, f.value.of(c.trailer))
	}
	return dst
}

func hasContentPrefix(name []byte) bool {
	return len(name) > 8 && equalFold(name[:8], "content-")
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// Decode takes a piece of a chunked body apart in place: the data is moved
// together to the front of b. used is how many bytes of b were read; what is
// behind them follows the body.
func (c *ChunkReader) Decode(b []byte) (data []byte, used int, err error) {
	n := 0
	for used < len(b) && !c.Done() {
		piece, m, err := c.Next(b[used:])
		if err != nil {
			return b[:n], used + m, err
		}
		n += copy(b[n:], piece)
		used += m
	}
	return b[:n], used, nil
}

// ChunkHead is the most bytes AppendChunkHead appends for data that fits in
// memory.
const ChunkHead = 18

// AppendChunkHead begins a chunk of n bytes, n > 0. CRLF follows its data.
func AppendChunkHead(dst []byte, n int) []byte {
	const hex = "0123456789abcdef"
	var d [16]byte
	i := len(d)
	for {
		i--
		d[i] = hex[n&15]
		if n >>= 4; n == 0 {
			break
		}
	}
	dst = append(dst, d[i:]...)
	return append(dst, '\r', '\n')
}

// AppendLastChunk ends a chunked body with the trailers of c, or with none when
// c is nil.
func AppendLastChunk(dst []byte, c *ChunkReader) []byte {
	dst = append(dst, "0\r\n"...)
	if c != nil {
		dst = c.AppendTrailers(dst)
	}
	return append(dst, '\r', '\n')
}

func appendField(dst, name, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}
