//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Target is what is asked.
type Target struct {
	Addr    string // host:port
	Hello   []byte // sent once per connection before the requests; empty: nothing
	Request []byte
	// Frame returns the length of the answer that buf begins with, 0 while it is
	// not whole. An error says that it is not the answer that was expected.
	Frame func(buf []byte) (int, error)
}

// bufferSize bounds an answer.
const bufferSize = 8 << 10

var (
	errAnswer   = errors.New("not the answer that was expected")
	errTooLarge = fmt.Errorf("answer of more than %d bytes", bufferSize)
)

// HTTP returns a target that gets path from addr, where size is that of the body.
func HTTP(addr, path string, size int) Target {
	return Target{
		Addr:    addr,
		Request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, addr),
		Frame:   func(buf []byte) (int, error) { return frameHTTP(buf, size) },
	}
}

// frameHTTP accepts a 200 whose body has the size expected, and no other.
func frameHTTP(buf []byte, size int) (int, error) {
	head := bytes.Index(buf, []byte("\r\n\r\n"))
	if head < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(buf, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("%w: %q", errAnswer, buf[:head])
	}
	total := head + 4 + size
	if len(buf) < total {
		return 0, nil
	}
	if length, ok := contentLength(buf[:head]); !ok || length != size {
		return 0, fmt.Errorf("%w: %q", errAnswer, buf[:head])
	}
	return total, nil
}

func contentLength(head []byte) (int, bool) {
	const name = "content-length:"
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
			return n, err == nil
		}
	}
	return 0, false
}

// WebSocket returns a target that opens a WebSocket at addr and sends messages
// of size bytes, at most 65,535, which must come back as they went. They are
// masked with zeros, as RFC 6455 lets a client that has nothing to hide from.
func WebSocket(addr string, size int) Target {
	body := bytes.Repeat([]byte("x"), size)
	return Target{
		Addr: addr,
		Hello: fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr),
		Request: bytes.Join([][]byte{frameHead(size, 0x80), make([]byte, 4), body}, nil),
		Frame:   frameEcho(bytes.Join([][]byte{frameHead(size, 0), body}, nil)),
	}
}

// frameHead begins a frame: the whole of a binary message; mask is 0x80 where
// a mask follows.
func frameHead(size int, mask byte) []byte {
	if size < 126 {
		return []byte{0x82, mask | byte(size)}
	}
	return []byte{0x82, mask | 126, byte(size >> 8), byte(size)}
}

// frameEcho accepts the switch of protocols, and then only echo.
func frameEcho(echo []byte) func(buf []byte) (int, error) {
	return func(buf []byte) (int, error) {
		if len(buf) > 0 && buf[0] == 'H' {
			head := bytes.Index(buf, []byte("\r\n\r\n"))
			if head < 0 {
				return 0, nil
			}
			if !bytes.HasPrefix(buf, []byte("HTTP/1.1 101 ")) {
				return 0, fmt.Errorf("%w: %q", errAnswer, buf[:head])
			}
			return head + 4, nil
		}
		if len(buf) < len(echo) {
			return 0, nil
		}
		if !bytes.Equal(buf[:len(echo)], echo) {
			return 0, fmt.Errorf("%w: a frame that is no echo", errAnswer)
		}
		return len(echo), nil
	}
}
