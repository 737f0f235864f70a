package process

import (
	"bytes"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxLine is the longest line kept, in bytes; the rest of a longer one is
// counted and dropped.
const maxLine = 4096

// output keeps the latest lines of an instance and passes each on. A line
// without an end is passed on when the child is gone.
type output struct {
	id      string
	forward func(id, line string)
	file    *lineFile

	// Owned by the goroutine that copies; lives follow one another.
	part    []byte
	dropped int

	mu   sync.Mutex // guards what follows
	ring []string
	next int // where the next line goes once the ring is full
	size int
}

func newOutput(id string, spec Output, forward func(id, line string), log *slog.Logger) *output {
	return &output{id: id, forward: forward, file: newLineFile(id, spec, log), size: spec.Lines}
}

// copy reads until the end of the child's output or the pipe's deadline.
func (o *output) copy(r io.Reader) {
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

func (o *output) write(p []byte) {
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

func (o *output) endLine() {
	line := clean(o.part, o.dropped)
	o.part, o.dropped = o.part[:0], 0
	o.keep(line)
	o.file.write(line)
	if o.forward != nil {
		o.forward(o.id, line)
	}
}

func (o *output) keep(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.ring) < o.size {
		o.ring = append(o.ring, line)
		return
	}
	o.ring[o.next] = line
	o.next = (o.next + 1) % o.size
}

// lines gives what is kept, oldest first.
func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(slices.Clone(o.ring[o.next:]), o.ring[:o.next]...)
}

// last gives the latest line that says something, cut to fit a sentence.
func (o *output) last() string {
	for _, line := range slices.Backward(o.lines()) {
		if line = strings.TrimSpace(line); line != "" {
			if len(line) > 200 {
				line = strings.ToValidUTF8(line[:200], "") + "..."
			}
			return line
		}
	}
	return ""
}

func (o *output) close() { o.file.close() }

// clean makes a line safe to show in a terminal, a log or a page: valid UTF-8,
// without terminal control sequences and control characters.
func clean(raw []byte, dropped int) string {
	raw = bytes.TrimSuffix(raw, []byte{'\r'})
	if dropped > 0 {
		raw = trimPartialRune(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		if n := escapeSequence(raw); n > 0 {
			raw = raw[n:]
			continue
		}
		r, n := utf8.DecodeRune(raw)
		if unicode.IsControl(r) && r != '\t' {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		raw = raw[n:]
	}
	if dropped > 0 {
		b.WriteString(" [line cut]")
	}
	return b.String()
}

// trimPartialRune drops a character that the cut went through.
func trimPartialRune(raw []byte) []byte {
	for i := 1; i < min(utf8.UTFMax, len(raw)); i++ {
		if tail := raw[len(raw)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return raw[:len(raw)-i]
			}
			break
		}
	}
	return raw
}

// escapeSequence gives the length of the terminal sequence raw begins with
// (ESC [ parameters letter: colours, cursor), 0 when there is none.
func escapeSequence(raw []byte) int {
	if len(raw) < 2 || raw[0] != 0x1b || raw[1] != '[' {
		return 0
	}
	for i, c := range raw[2:] {
		if c >= 0x40 && c <= 0x7e {
			return i + 3
		}
		if c < 0x20 || c > 0x7e {
			return 0
		}
	}
	return len(raw)
}
