package telemetry

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// Line is a line of a log that is being written: attributes in the order of the
// calls, as the loggers of its Logs would write them, but without allocating.
// Add ends it. Lines.Begin makes one.
type Line struct {
	b     []byte
	lines *Lines
}

// Begin begins a line about a moment.
func (n *Lines) Begin(at time.Time) *Line {
	l, ok := n.free.Get().(*Line)
	if !ok {
		l = &Line{lines: n}
	}
	b := l.b[:0]
	if n.json {
		b = at.AppendFormat(append(b, `{"time":"`...), time.RFC3339Nano)
		b = append(b, `",`...)
	} else {
		b = at.AppendFormat(append(b, "time="...), "2006-01-02T15:04:05.000Z07:00")
		b = append(b, ' ')
	}
	l.b = append(b, n.head...)
	return l
}

// key writes what stands before a value. Keys are the program's own: they hold
// nothing that had to be quoted.
func (l *Line) key(key string) {
	if l.lines.json {
		l.b = append(append(append(l.b, `,"`...), key...), `":`...)
	} else {
		l.b = append(append(append(l.b, ' '), key...), '=')
	}
}

// Text adds a text that may come from anywhere: what looks like a secret is
// masked. It does not keep value.
func (l *Line) Text(key string, value []byte) {
	s := lent(value)
	if l.lines.mask != nil {
		s = l.lines.mask(s)
	}
	l.Word(key, s)
}

// lent lends b as a string, for as long as b does not change.
func lent(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Words is Word for what the caller put together.
func (l *Line) Words(key string, value []byte) { l.Word(key, lent(value)) }

// Word adds a text of the program's own.
func (l *Line) Word(key, value string) {
	l.key(key)
	if l.lines.json {
		l.b = AppendJSON(l.b, value)
	} else {
		l.b = appendPlain(l.b, value)
	}
}

// Int adds a number.
func (l *Line) Int(key string, n int64) {
	l.key(key)
	l.b = strconv.AppendInt(l.b, n, 10)
}

// Millis adds a duration in milliseconds, to the hundredth.
func (l *Line) Millis(key string, d time.Duration) {
	l.key(key)
	l.b = AppendMillis(l.b, d)
}

// JSON says whether the line is JSON, which Raw has to be then.
func (l *Line) JSON() bool { return l.lines.json }

// Raw adds a value that is written as it stands.
func (l *Line) Raw(key string, value []byte) {
	l.key(key)
	l.b = append(l.b, value...)
}

// Add ends the line and hands it over; it is not to be used any more.
func (l *Line) Add() {
	if l.lines.json {
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, '\n')
	l.lines.add(l.b)
	l.lines.free.Put(l)
}

// AppendMillis appends milliseconds with up to two digits after the point.
func AppendMillis(b []byte, d time.Duration) []byte {
	hundredths := int64(d.Round(10*time.Microsecond) / (10 * time.Microsecond))
	if hundredths < 0 {
		b, hundredths = append(b, '-'), -hundredths
	}
	b = strconv.AppendInt(b, hundredths/100, 10)
	if rest := byte(hundredths % 100); rest > 0 {
		b = append(b, '.', '0'+rest/10)
		if rest%10 > 0 {
			b = append(b, '0'+rest%10)
		}
	}
	return b
}

// appendPlain appends a value of key=value, quoted where it would be misread.
func appendPlain(b []byte, s string) []byte {
	if s == "" {
		return append(b, `""`...)
	}
	for _, r := range s { // of bytes that are no UTF-8 it makes RuneError
		if r < ' ' || r == ' ' || r == '=' || r == '"' || r > unicode.MaxASCII && (r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r)) {
			return strconv.AppendQuote(b, s)
		}
	}
	return append(b, s...)
}

// AppendJSON appends a text as JSON.
func AppendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendAnyJSON(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// appendAnyJSON is for texts that have something to escape, which are few.
func appendAnyJSON(b []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(strings.Clone(s)) != nil { // it can of every text; the copy lets s stay on a stack
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}
