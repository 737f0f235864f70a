package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	linesWait = 10 * time.Millisecond // a line waits for others to be written with
	linesMuch = 64 << 10              // bytes that are written at once
	linesMost = 1 << 20               // bytes that may wait; what comes on top is dropped
)

// Lines is a component's log of one message that may come very often: lines are
// formatted where they arise and written in batches, after 10 ms or 64 KiB. When
// the log cannot keep up, they are dropped and counted: who logs never waits.
// Safe for concurrent use. Run writes them.
type Lines struct {
	out     *shared
	json    bool
	head    []byte // what stands in every line behind its time
	level   *slog.LevelVar
	mask    func(string) string
	some    chan struct{} // there is a first line
	much    chan struct{} // there is enough to write
	dropped atomic.Uint64
	free    sync.Pool // of *Line

	mu      sync.Mutex
	pending []byte
	spare   []byte // Run's
}

// Lines returns the log of a component's message, at level info. mask hides what
// must not be in a log; nil hides nothing.
func (l *Logs) Lines(component, message string, mask func(string) string) *Lines {
	n := &Lines{
		out: l.out, json: l.json, level: l.level(component), mask: mask,
		some: make(chan struct{}, 1), much: make(chan struct{}, 1),
	}
	if l.json {
		n.head = append(n.head, `"level":"INFO","msg":`...)
		n.head = AppendJSON(n.head, message)
		n.head = AppendJSON(append(n.head, `,"component":`...), component)
	} else {
		n.head = append(n.head, "level=INFO msg="...)
		n.head = appendPlain(n.head, message)
		n.head = appendPlain(append(n.head, " component="...), component)
	}
	n.head = slices.Clip(n.head)
	return n
}

// Enabled says whether lines are wanted at all.
func (n *Lines) Enabled() bool { return n.level.Level() <= slog.LevelInfo }

// Dropped is how many lines were dropped because the log could not keep up.
func (n *Lines) Dropped() uint64 { return n.dropped.Load() }

func (n *Lines) add(line []byte) {
	n.mu.Lock()
	before := len(n.pending)
	after := before + len(line)
	if after > linesMost {
		n.mu.Unlock()
		n.dropped.Add(1)
		return
	}
	n.pending = append(n.pending, line...)
	n.mu.Unlock()
	if before == 0 {
		signal(n.some)
	}
	if before < linesMuch && after >= linesMuch {
		signal(n.much)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is known already
	}
}

// Run writes lines until ctx ends, and then those that were added before.
func (n *Lines) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-n.some:
		case <-ctx.Done():
		}
		select {
		case <-time.After(linesWait):
		case <-n.much:
		case <-ctx.Done():
		}
		n.flush()
	}
	n.flush()
	return nil
}

func (n *Lines) flush() {
	n.mu.Lock()
	lines := n.pending
	n.pending = n.spare[:0]
	n.mu.Unlock()
	if len(lines) > 0 {
		_, _ = n.out.Write(lines) // there is nobody left to tell
	}
	n.spare = lines
}
