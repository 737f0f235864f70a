package child

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
)

// maxLine is the longest line kept, in bytes; the rest of a longer one is
// counted and dropped.
const maxLine = 4096

// Output keeps the latest lines that children wrote, one child after the
// other, and passes each on. A line without an end is passed on when the child
// is gone.
type Output struct {
	forward func(line string)

	// Owned by the goroutine that copies; lives follow one another.
	part    []byte
	dropped int

	mu   sync.Mutex // guards what follows
	ring []string
	next int // where the next line goes once the ring is full
	size int
}

// NewOutput keeps size lines and tells forward, which may be nil, each one, in
// order; the child waits while it runs. Lines are safe to show in a terminal,
// a log or a page.
func NewOutput(size int, forward func(line string)) *Output {
	return &Output{forward: forward, size: size}
}

// copy reads until the end of the child's output or the pipe's deadline.
func (o *Output) copy(r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		o.write(buf[:n])
		if err != nil {
			break
		}
	}
	if len(o.part) > 0 {
		o.endLine()
	}
}

func (o *Output) write(p []byte) {
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		room := min(len(line), maxLine-len(o.part))
		o.part = append(o.part, line[:room]...)
		o.dropped += len(line) - room
		if ended {
			o.endLine()
		}
		p = rest
	}
}

func (o *Output) endLine() {
	line := clean(o.part, o.dropped)
	o.part, o.dropped = o.part[:0], 0
	o.keep(line)
	if o.forward != nil {
		o.forward(line)
	}
}

func (o *Output) keep(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.ring) < o.size {
		o.ring = append(o.ring, line)
		return
	}
	o.ring[o.next] = line
	o.next = (o.next + 1) % o.size
}

// Lines gives what is kept, oldest first.
func (o *Output) Lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(slices.Clone(o.ring[o.next:]), o.ring[:o.next]...)
}

// Last gives the latest line that says something, cut to fit a sentence.
func (o *Output) Last() string {
	for _, line := range slices.Backward(o.Lines()) {
		if line = strings.TrimSpace(line); line != "" {
			if len(line) > 200 {
				line = strings.ToValidUTF8(line[:200], "") + "..."
			}
			return line
		}
	}
	return ""
}
