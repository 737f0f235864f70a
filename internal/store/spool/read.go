package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// reuseBytes is how large an emptied segment is written to again. A larger one gives its space back by being removed.
const reuseBytes = 256 << 10

// Batch is the oldest records of a lane. Hand it to Done once they are delivered.
type Batch struct {
	Records [][]byte

	lane    int
	segment uint64 // 0: from memory
	end     int64  // in the segment
	from    uint64 // in memory
}

// Next returns the oldest records of a lane: at most records and about bytes of them, all of one segment; none when the
// lane is empty. It takes nothing away. An error says that the disk could not be read.
func (s *Spool) Next(laneIndex, records int, bytes int64) (Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[laneIndex]
	for len(l.segments) > 0 {
		seg := l.segments[0]
		if seg.readAt < seg.size {
			b, err := s.readSome(laneIndex, seg, records, bytes)
			if err != nil || len(b.Records) > 0 {
				return b, err
			}
		}
		if seg.file != nil {
			break // emptied, and open for more
		}
		s.remove(l, seg)
	}
	n := min(records, len(l.memory))
	return Batch{Records: slices.Clone(l.memory[:n]), lane: laneIndex, from: l.taken}, nil
}

// readSome reads from a segment. Damage ends the segment: the rest is given up and counted.
func (s *Spool) readSome(laneIndex int, seg *segment, records int, bytes int64) (Batch, error) {
	f, err := os.Open(seg.path)
	if errors.Is(err, fs.ErrNotExist) { // somebody tidied up
		s.giveUp(s.lanes[laneIndex], seg, Batch{end: seg.readAt})
		return Batch{}, nil
	}
	if err != nil {
		return Batch{}, fmt.Errorf("read spool: %w", err)
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, min(seg.size-seg.readAt, max(bytes, frameHeader+MaxRecord)))
	if _, err := f.ReadAt(buf, seg.readAt); err != nil && !errors.Is(err, io.EOF) {
		return Batch{}, fmt.Errorf("read spool: %w", err)
	}
	b := Batch{lane: laneIndex, segment: seg.number, end: seg.readAt}
	for rest := buf; len(b.Records) < records && b.end < seg.size; {
		payload, after, err := nextFrame(rest)
		if err != nil {
			s.checkEnd(laneIndex, seg, &b, int64(len(buf)))
			break
		}
		b.Records = append(b.Records, payload)
		b.end += int64(frameHeader + len(payload))
		rest = after
	}
	return b, nil
}

// checkEnd decides whether a record that could not be read was only cut off by the buffer.
func (s *Spool) checkEnd(laneIndex int, seg *segment, b *Batch, read int64) {
	whole := seg.readAt+read == seg.size
	if len(b.Records) > 0 && !whole {
		return // the next call reads it from its beginning
	}
	s.giveUp(s.lanes[laneIndex], seg, *b)
}

// giveUp ends a segment behind the records of a batch.
func (s *Spool) giveUp(l *lane, seg *segment, b Batch) {
	lost := seg.size - b.end
	l.damaged += uint64(lost)
	l.dropped += uint64(seg.records - seg.read - len(b.Records))
	s.bytes -= lost
	seg.size, seg.records = b.end, seg.read+len(b.Records)
	seg.dirty = false
	_ = seg.seal()
}

// Done removes a batch. A batch whose records were dropped or written elsewhere meanwhile is no error.
func (s *Spool) Done(b Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[b.lane]
	if b.segment == 0 {
		s.doneMemory(l, b)
		return
	}
	if len(l.segments) == 0 || l.segments[0].number != b.segment {
		return
	}
	seg := l.segments[0]
	if b.end <= seg.readAt {
		return
	}
	seg.readAt = b.end
	seg.read += len(b.Records)
	if seg.readAt < seg.size {
		return
	}
	if seg.file == nil || seg.size > reuseBytes || seg.file.Truncate(int64(len(magic))) != nil {
		s.remove(l, seg)
		return
	}
	s.bytes -= seg.size - int64(len(magic))
	seg.size, seg.readAt, seg.records, seg.read = int64(len(magic)), int64(len(magic)), 0, 0
}

// doneMemory removes what is still there of a batch from memory.
func (s *Spool) doneMemory(l *lane, b Batch) {
	end := b.from + uint64(len(b.Records))
	if end <= l.taken {
		return
	}
	s.forget(l, min(int(end-l.taken), len(l.memory)), false)
}
