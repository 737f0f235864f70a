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
// forwarded. Escaped letters, digits and -._~ are decoded (RFC 3986, 6.2.2.2);
// everything else stays as it came, also // and %2F. Refused are dot segments
// (plain or escaped), backslashes, control bytes, %00 and broken escapes.
// A path without any of these is returned unchanged and costs no allocation.
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
	return clean, refuseDotSegments(clean)
}

func needsCare(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case c == '%' || c == '\\' || c <= ' ' || c >= 0x7f || c == '#' || c == '?':
			return true
		case c == '.' && p[i-1] == '/': // p[0] is '/'
			return true
		}
	}
	return false
}

func decodeUnreserved(p string) (string, error) {
	var b strings.Builder
	b.Grow(len(p))
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '\\' || c <= ' ' || c == 0x7f || c == '#' || c == '?' {
			return "", pathError("contains a byte that must be escaped")
		}
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		v, ok := unhex2(p[i+1:])
		switch {
		case !ok:
			return "", pathError("has a % that is not followed by two hexadecimal digits")
		case v == 0 || v == '\\':
			return "", pathError("contains an escaped NUL or backslash")
		case unreserved(v):
			b.WriteByte(v)
		default:
			b.WriteString(p[i : i+3])
		}
		i += 2
	}
	return b.String(), nil
}

func refuseDotSegments(p string) error {
	for seg := range strings.SplitSeq(p, "/") {
		name, _, _ := strings.Cut(seg, ";") // "..;" is ".." to some servers
		if name == "." || name == ".." || hiddenDots(seg) {
			return pathError("contains a dot segment")
		}
	}
	return nil
}

// hiddenDots finds dot segments that only appear once %2F is decoded.
func hiddenDots(seg string) bool {
	if len(seg) < 4 || !strings.Contains(seg, "..") {
		return false
	}
	folded := strings.ReplaceAll(strings.ToLower(seg), "%2f", "/")
	return folded == "/.." || strings.HasPrefix(folded, "../") ||
		strings.HasSuffix(folded, "/..") || strings.Contains(folded, "/../")
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
