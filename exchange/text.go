package exchange

// A text holds the beginning of a string without pointing at it, so that a
// record keeps no request alive. A cut string ends in "~".
type (
	// Text16 holds up to 15 bytes.
	Text16 struct {
		n uint8
		b [15]byte
	}
	// Text64 holds up to 63 bytes.
	Text64 struct {
		n uint8
		b [63]byte
	}
	// Text128 holds up to 127 bytes.
	Text128 struct {
		n uint8
		b [127]byte
	}
)

func (t *Text16) set(s string)  { t.n = put(t.b[:], s) }
func (t *Text64) set(s string)  { t.n = put(t.b[:], s) }
func (t *Text128) set(s string) { t.n = put(t.b[:], s) }

// String returns the text.
func (t *Text16) String() string { return string(t.b[:t.n]) }

// String returns the text.
func (t *Text64) String() string { return string(t.b[:t.n]) }

// String returns the text.
func (t *Text128) String() string { return string(t.b[:t.n]) }

// Bytes returns the text, which must not be changed.
func (t *Text16) Bytes() []byte { return t.b[:t.n] }

// Bytes returns the text, which must not be changed.
func (t *Text64) Bytes() []byte { return t.b[:t.n] }

// Bytes returns the text, which must not be changed.
func (t *Text128) Bytes() []byte { return t.b[:t.n] }

func put(b []byte, s string) uint8 {
	n := copy(b, s)
	if n < len(s) {
		b[n-1] = '~'
	}
	return uint8(n)
}
