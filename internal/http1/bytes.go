package http1

import "unsafe"

// The bytes of a token (RFC 9110, 5.6.2), as bits.
const (
	digits    = (1<<10 - 1) << '0'
	letters   = 1<<26 - 1
	tcharLow  = digits | 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.'
	tcharHigh = letters<<('A'-64) | letters<<('a'-64) | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)

	// Those of a host with its port: what a URI allows in an authority, without
	// user names, lists and escapes.
	hostLow  = digits | 1<<'!' | 1<<'$' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | 1<<':' | 1<<';' | 1<<'='
	hostHigh = letters<<('A'-64) | letters<<('a'-64) | 1<<('_'-64) | 1<<('~'-64) | 1<<('['-64) | 1<<(']'-64)
)

func isTchar(c byte) bool { return among(c, tcharLow, tcharHigh) }

func among(c byte, low, high uint64) bool {
	if c < 64 {
		return low>>c&1 != 0
	}
	return c < 128 && high>>(c-64)&1 != 0
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !isTchar(c) {
			return false
		}
	}
	return len(b) > 0
}

// isControl says whether a byte may not stand in a field's value.
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

// equalFold compares with a constant in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowered(c) != lower[i] {
			return false
		}
	}
	return true
}

// foldEqual compares two names in any case.
func foldEqual(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lowered(c) != lowered(b[i]) {
			return false
		}
	}
	return true
}

func lowered(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// trim removes spaces and tabs around a value.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// cutList takes the first element of a comma-separated list.
func cutList(list []byte) (first, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}

// lent is b as a string without a copy; it is valid as long as b is unchanged.
func lent(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendDecimal appends a number that is not negative.
func appendDecimal(b []byte, n int64) []byte {
	var d [20]byte
	i := len(d)
	for {
		i--
		d[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return append(b, d[i:]...)
		}
	}
}
