package exchange

import (
	"errors"
	"strings"
)

// ErrPath marks a request path that Holdfast refuses because two programs
// could read it differently: one checks it, the other serves it.
var ErrPath = errors.New("ambiguous path")

type pathError string

func (e pathError) Error() string        { return "path " + string(e) }
func (e pathError) Is(target error) bool { return target == ErrPath }

// CleanPath returns the form of an escaped path that is both matched and
// forwarded. Escaped letters, digits and -._~ are decoded (RFC 3986, 6.2.2.2),
// bytes beyond ASCII are escaped; everything else stays as it came, also //,
// %2F and %252E. Refused are dot segments, plain, escaped, with parameters
// ("..;a") or behind an escaped slash, backslashes, control bytes, NUL, overlong
// UTF-8 and broken escapes. A path without any of these is returned unchanged
// and costs no allocation.
func CleanPath(escaped string) (string, error) {
	if escaped == "" || escaped[0] != '/' {
		return "", pathError("must start with /")
	}
	if !needsCare(escaped) {
		return escaped, nil
	}
	clean, err := decodeUnreserved(escaped)
	if err != nil {
		return "", err
	}
	if hasDotSegment(clean) {
		return "", pathError("contains a dot segment")
	}
	return clean, nil
}

func needsCare(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case c == '%' || c >= 0x80 || forbidden(c):
			return true
		case c == '.' && p[i-1] == '/': // p[0] is '/'
			return true
		}
	}
	return false
}

// forbidden bytes must not stand in a path as they are.
func forbidden(c byte) bool {
	return c <= ' ' || c == 0x7f || c == '\\' || c == '#' || c == '?'
}

func decodeUnreserved(p string) (string, error) {
	var b strings.Builder
	b.Grow(len(p))
	var before [3]byte // the bytes before, decoded
	for i := 0; i < len(p); i++ {
		v, escaped := p[i], p[i] == '%'
		if escaped {
			var ok bool
			if v, ok = unhex2(p[i+1:]); !ok {
				return "", pathError("has a % that is not followed by two hexadecimal digits")
			}
		}
		switch {
		case !escaped && forbidden(v):
			return "", pathError("contains a byte that must be escaped")
		case v == 0 || v == '\\':
			return "", pathError("contains an escaped NUL or backslash")
		case overlong(before, v):
			return "", pathError("contains an overlong form of an ASCII character")
		case !escaped && v >= 0x80:
			b.Write([]byte{'%', upperhex[v>>4], upperhex[v&15]})
		case !escaped || unreserved(v):
			b.WriteByte(v)
		default:
			b.WriteString(p[i : i+3])
		}
		if escaped {
			i += 2
		}
		before = [3]byte{before[1], before[2], v}
	}
	return b.String(), nil
}

const upperhex = "0123456789ABCDEF"

// overlong says whether v ends a UTF-8 sequence that is longer than need be and
// that careless decoders take for ASCII: %C0%AE is a dot to them.
func overlong(before [3]byte, v byte) bool {
	if v&0xc0 != 0x80 {
		return false
	}
	switch b := before; {
	case b[2] == 0xc0 || b[2] == 0xc1:
		return true
	case b[1] == 0xe0 && (b[2] == 0x80 || b[2] == 0x81):
		return true
	default:
		return b[0] == 0xf0 && b[1] == 0x80 && (b[2] == 0x80 || b[2] == 0x81)
	}
}

// hasDotSegment reads a path as lenient programs do: an escaped slash divides
// like a plain one, and a segment ends at its parameters.
func hasDotSegment(p string) bool {
	for seg := range strings.SplitSeq(p, "/") {
		for seg != "" {
			var part string
			if part, seg = cutEscapedSlash(seg); isDots(part) {
				return true
			}
		}
	}
	return false
}

func cutEscapedSlash(s string) (before, after string) {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && s[i+1] == '2' && s[i+2]|0x20 == 'f' {
			return s[:i], s[i+3:]
		}
	}
	return s, ""
}

func isDots(seg string) bool {
	rest, ok := strings.CutPrefix(seg, ".")
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, ".")
	return rest == "" || rest[0] == ';' || len(rest) > 2 && rest[0] == '%' && rest[1] == '3' && rest[2]|0x20 == 'b'
}

func unhex2(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, ok1 := unhex(s[0])
	lo, ok2 := unhex(s[1])
	return hi<<4 | lo, ok1 && ok2
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

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
