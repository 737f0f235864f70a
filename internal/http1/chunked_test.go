package http1_test

import (
	"errors"
	"strings"
	"testing"

	"holdfast/internal/http1"
)

// chunks decodes a body in pieces of at most size bytes.
func chunks(in string, size int) (data, rest string, c *http1.ChunkReader, err error) {
	c = new(http1.ChunkReader)
	var b strings.Builder
	for len(in) > 0 && !c.Done() {
		piece := []byte(in[:min(size, len(in))])
		d, used, err := c.Decode(piece)
		b.Write(d)
		if err != nil {
			return b.String(), in, c, err
		}
		in = in[used:]
	}
	return b.String(), in, c, nil
}

func TestChunkedBodiesAreRefusedOrDecoded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, data, rest, trailers string
		fault                          error
		open                           bool // more must come
	}{
		{name: "a body", in: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", data: "hello world", rest: "GET"},
		{name: "hexadecimal", in: "1A\r\n" + strings.Repeat("x", 26) + "\r\n00\r\n\r\n", data: strings.Repeat("x", 26)},
		{name: "trailers", in: "0\r\nA: b \r\nC: d\r\n\r\n", trailers: "A: b\r\nC: d\r\n"},
		{
			name: "18: trailers that frame, route or authenticate", trailers: "X: 1\r\n",
			in: "0\r\nHost: a\r\nContent-Length: 5\r\nContent-Md5: 1\r\nX: 1\r\nAuthorization: a\r\nX_Real_Ip: 6\r\nTrailer: a\r\nX-Forwarded-For: 6\r\n\r\n",
		},
		{name: "18: a trailer that is none", in: "0\r\nabc\r\n\r\n", fault: http1.ErrFieldName},
		{name: "18: a folded trailer", in: "0\r\nA: b\r\n c\r\n\r\n", fault: http1.ErrFieldFold},
		{name: "18: a coding as a trailer", in: "0\r\nTransfer-Encoding: gzip\r\n\r\n", fault: http1.ErrCoding},
		{name: "18: too many trailers", in: "0\r\n" + strings.Repeat("A: b\r\n", 100) + "\r\n", fault: http1.ErrTrailerLength},
		{name: "18: endless trailers", in: "0\r\nA: " + strings.Repeat("b", 9000), fault: http1.ErrTrailerLength},
		{name: "6: LF after the size", in: "5\nhello\r\n0\r\n\r\n", fault: http1.ErrChunkSize},
		{name: "6: LF after the data", in: "5\r\nhello\n0\r\n\r\n", data: "hello", fault: http1.ErrChunkEnd},
		{name: "6: LF after an extension", in: "5;a\nhello\r\n0\r\n\r\n", fault: http1.ErrChunkExtension},
		{name: "6: LF after the last chunk", in: "0\r\n\n", fault: http1.ErrLineEnd},
		{name: "16: a plus", in: "+5\r\nhello\r\n", fault: http1.ErrChunkSize},
		{name: "16: a prefix", in: "0x5\r\nhello\r\n", fault: http1.ErrChunkSize},
		{name: "16: an underscore", in: "1_0\r\n", fault: http1.ErrChunkSize},
		{name: "16: a leading space", in: " 5\r\nhello\r\n", fault: http1.ErrChunkSize},
		{name: "16: a trailing space", in: "5 \r\nhello\r\n", fault: http1.ErrChunkSize},
		{name: "16: nothing", in: "\r\nhello\r\n", fault: http1.ErrChunkSize},
		{name: "16: too many digits", in: "1000000000000000\r\n", fault: http1.ErrChunkSize},
		{name: "16: more data than the size", in: "5\r\nhello!\r\n", data: "hello", fault: http1.ErrChunkEnd},
		{name: "16: CR and something else", in: "5\rXhello\r\n", fault: http1.ErrChunkEnd},
		{name: "17: an extension", in: "5;a=\"b;c\"\t;d\r\nhello\r\n0;e\r\n\r\n", data: "hello"},
		{name: "17: a control byte in one", in: "5;a\x01\r\nhello\r\n", fault: http1.ErrChunkExtension},
		{name: "17: a long one", in: "5;" + strings.Repeat("a", 5000) + "\r\n", fault: http1.ErrChunkExtension},
		{name: "17: many", in: strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\nx\r\n", 20), data: strings.Repeat("x", 16), fault: http1.ErrChunkExtension},
		{name: "21: no last chunk", in: "5\r\nhello\r\n", data: "hello", open: true},
		{name: "21: a short chunk", in: "5\r\nhel", data: "hel", open: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 7, len(c.in)} {
				data, rest, r, err := chunks(c.in, size)
				if !errors.Is(err, c.fault) || data != c.data {
					t.Fatalf("in pieces of %d: %q %v, want %q %v", size, data, err, c.data, c.fault)
				}
				if err != nil {
					continue
				}
				if r.Done() == c.open || rest != c.rest || string(r.AppendTrailers(nil)) != c.trailers {
					t.Errorf("in pieces of %d: done %v, rest %q, trailers %q", size, r.Done(), rest, r.AppendTrailers(nil))
				}
			}
		})
	}
}

func TestWhatIsWrittenInChunksIsReadAgain(t *testing.T) {
	t.Parallel()
	var out []byte
	want := ""
	for n := 1; n < 5000; n += 37 {
		piece := strings.Repeat("y", n)
		want += piece
		out = append(append(http1.AppendChunkHead(out, n), piece...), "\r\n"...)
	}
	out = http1.AppendLastChunk(out, nil)
	if got, rest, r, err := chunks(string(out), 1000); got != want || rest != "" || err != nil || !r.Done() {
		t.Error(len(got), rest, err)
	}
}

func TestTrailersAreWrittenAsTheyMayPass(t *testing.T) {
	t.Parallel()
	_, _, r, err := chunks("0\r\nA: b\r\nHost: c\r\n\r\n", 100)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(http1.AppendLastChunk(nil, r)); got != "0\r\nA: b\r\n\r\n" {
		t.Errorf("%q", got)
	}
	r.Reset()
	if r.Done() || len(r.AppendTrailers(nil)) > 0 {
		t.Error("a reader that was reset still has trailers")
	}
}
