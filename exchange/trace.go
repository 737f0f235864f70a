package exchange

import (
	"encoding/binary"
	"encoding/hex"
	"math"
)

// Trace is the place of an exchange in a distributed trace, as W3C Trace Context
// has it. The zero value is in none.
type Trace struct {
	ID      [16]byte
	Parent  [8]byte // the span the request came from; zero: the trace begins here
	Sampled bool    // it is recorded, by others too
}

// Known says whether the exchange is in a trace.
func (t *Trace) Known() bool { return t.ID != [16]byte{} }

// Begun says whether the trace begins with the exchange.
func (t *Trace) Begun() bool { return t.Known() && t.Parent == [8]byte{} }

// Parents says whose traces are continued. Everybody else's requests begin one
// of their own.
type Parents uint8

// Whose.
const (
	ParentsAny     Parents = iota // of every client
	ParentsTrusted                // of trusted proxies
	ParentsNone                   // of nobody
)

// Tracing is how exchanges get their place in a trace. Without it, which is how
// a machine begins, they are in none and the fields of the request pass as they
// came.
type Tracing struct {
	// Sample is the part of the traces begun here that is recorded, 0 to 1. By the
	// id of the trace: others who sample the same part choose the same ones. A
	// trace that is continued is sampled if it was.
	Sample  float64
	Parents Parents
}

// SetTracing puts tracing in force for exchanges that begin from now on; nil:
// there is none.
func (m *Machine) SetTracing(t *Tracing) { m.tracing.Store(t) }

// place finds the place of a request. Nothing is allocated.
func (t *Tracing) place(r *Request, header Header) Trace {
	if t.Parents == ParentsAny || t.Parents == ParentsTrusted && r.Trusted {
		if found, ok := ParseTraceparent(header.Get("Traceparent")); ok {
			return found
		}
	}
	begun := Trace{ID: traceID(r)}
	begun.Sampled = t.samples(begun.ID)
	return begun
}

// samples goes by the same bits as the ratio sampler of OpenTelemetry's
// libraries: the 63 behind the first of the second half.
func (t *Tracing) samples(id [16]byte) bool {
	return t.Sample >= 1 || float64(binary.BigEndian.Uint64(id[8:])>>1) < t.Sample*math.MaxInt64
}

// traceID is the request's id where that is 16 bytes in hex, as those are that
// engines make: one name is enough to find both.
func traceID(r *Request) (id [16]byte) {
	if parseHex(id[:], r.ID) && id != [16]byte{} {
		return id
	}
	binary.BigEndian.PutUint64(id[:8], derive(r.Draw, traceDraw))
	binary.BigEndian.PutUint64(id[8:], derive(r.Draw, traceDraw+1))
	return id
}

// Draws of spans are those of the attempts' numbers behind spanDraw; the random
// choices of an exchange use small numbers.
const (
	traceDraw = 1 << 32
	spanDraw  = 1<<32 + 2
)

// Span is the id of the exchange's span. Where the exchange is in no trace it
// means nothing.
func (f *Facts) Span() [8]byte { return spanID(f.Draw, 0) }

// AttemptSpan is the id of the span of attempt n, counted from 0: the parent of
// what the instance does.
func (f *Facts) AttemptSpan(n int) [8]byte { return spanID(f.Draw, uint64(n)+1) }

func spanID(draw, n uint64) (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], max(derive(draw, spanDraw+n), 1)) // 0 is no id
	return id
}

// Traceparent is the length of a traceparent field's value.
const Traceparent = 55

// AppendTraceparent appends the value of traceparent that attempt n, counted from
// 0, is sent with; nothing where the exchange is in no trace.
func (f *Facts) AppendTraceparent(dst []byte, n int) []byte {
	if !f.Trace.Known() {
		return dst
	}
	span := f.AttemptSpan(n)
	dst = append(dst, "00-"...)
	dst = hex.AppendEncode(dst, f.Trace.ID[:])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, span[:])
	if f.Trace.Sampled {
		return append(dst, "-01"...)
	}
	return append(dst, "-00"...)
}

// ParseTraceparent reads the value of a traceparent field; false: it is none.
// Versions to come are read as far as this one knows them.
func ParseTraceparent(s string) (t Trace, ok bool) {
	var version, flags [1]byte
	switch {
	case len(s) < Traceparent, s[2] != '-', s[35] != '-', s[52] != '-',
		!parseHex(version[:], s[:2]), !parseHex(t.ID[:], s[3:35]), !parseHex(t.Parent[:], s[36:52]), !parseHex(flags[:], s[53:55]),
		version[0] == 0xff, version[0] == 0 && len(s) > Traceparent, len(s) > Traceparent && s[Traceparent] != '-',
		!t.Known(), t.Parent == [8]byte{}:
		return Trace{}, false
	}
	t.Sampled = flags[0]&1 != 0
	return t, true
}

// parseHex reads lower-case hex that fills dst; it makes no error, which would
// be garbage.
func parseHex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	for i := range dst {
		high, low := nibble(s[2*i]), nibble(s[2*i+1])
		if high > 15 || low > 15 {
			return false
		}
		dst[i] = high<<4 | low
	}
	return true
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
