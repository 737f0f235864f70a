package supervise

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// kind says what a frame is.
type kind string

const (
	hello  kind = "hello"  // both ways, first: the protocol's version in ID
	ping   kind = "ping"   // to the child
	pong   kind = "pong"   // its answer
	call   kind = "call"   // to the child
	cancel kind = "cancel" // to the child: nobody waits for call ID any more
	answer kind = "answer" // to call ID
)

const protocol = 1

// frame is what travels: its length in four bytes, then itself as JSON.
type frame struct {
	Kind   kind            `json:"kind"`
	ID     uint64          `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Left   int64           `json:"left_ms,omitempty"` // until the caller's deadline
	Body   json.RawMessage `json:"body,omitempty"`
	Error  string          `json:"error,omitempty"`
	Code   string          `json:"code,omitempty"` // of errors that callers ask for
}

// envelope is room for what is around a body.
const envelope = 4 << 10

var errTooLarge = errors.New("message is too large")

// writeFrame writes f whole or, if it is too large, not at all.
func writeFrame(w io.Writer, f frame, limit int) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(b) > limit+envelope {
		return fmt.Errorf("%w: %d bytes, at most %d are sent", errTooLarge, len(b), limit)
	}
	buf := make([]byte, 4, 4+len(b))
	binary.BigEndian.PutUint32(buf, uint32(len(b)))
	_, err = w.Write(append(buf, b...))
	return err
}

// readFrame reads the next frame. What is announced is read piece by piece: the
// other end cannot make this one reserve memory by a number.
func readFrame(r *bufio.Reader, limit int) (frame, error) {
	var f frame
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if int64(n) > int64(limit)+envelope {
		return f, fmt.Errorf("%w: %d bytes are announced, at most %d are read", errTooLarge, n, limit)
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}
