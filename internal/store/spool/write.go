package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Append takes records of a lane, given by its place in Config.Lanes. When it returns nil they are in files; an error says
// that some are only in memory, or dropped, because the disk refuses them. Records larger than MaxRecord are dropped.
func (s *Spool) Append(laneIndex int, records [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[laneIndex]
	for _, r := range records {
		if len(r) == 0 || len(r) > MaxRecord {
			l.dropped++
			continue
		}
		l.memory = append(l.memory, r)
		s.memory += int64(len(r))
	}
	return s.flushLocked()
}

// Flush tries again to write what is only in memory.
func (s *Spool) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushLocked()
}

// flushLocked writes the memory of all lanes, the last lane first: its records are worth most.
func (s *Spool) flushLocked() error {
	s.refuse = nil
	for i, l := range slices.Backward(s.lanes) {
		for len(l.memory) > 0 && s.refuse == nil {
			s.refuse = s.writeSome(i)
		}
	}
	s.trimMemory()
	return s.refuse
}

// writeSome writes as much of a lane's memory as fits into its segment.
func (s *Spool) writeSome(laneIndex int) error {
	l := s.lanes[laneIndex]
	buf, n := l.nextFrames(s.cfg.SegmentBytes)
	if !s.makeRoom(laneIndex, int64(len(buf))) {
		s.forget(l, len(l.memory), true)
		return nil
	}
	err := s.write(l, buf, n)
	if isFull(err) {
		s.full = err
		if s.useReserve(l) {
			err = s.write(l, buf, n)
		}
	}
	return err
}

// write appends n frames to the lane's last segment.
func (s *Spool) write(l *lane, buf []byte, n int) error {
	seg, err := s.writable(l, int64(len(buf)))
	if err != nil {
		return err
	}
	if _, err := seg.file.WriteAt(buf, seg.size); err != nil {
		// What was written in part is overwritten or cut off: on a full disk a file can still be made shorter.
		return errors.Join(fmt.Errorf("write spool: %w", err), s.cutBack(seg))
	}
	seg.size += int64(len(buf))
	seg.records += n
	seg.dirty = true
	s.bytes += int64(len(buf))
	s.forget(l, n, false)
	return nil
}

// nextFrames returns the frames of the first records, at least one, and how many.
func (l *lane) nextFrames(limit int64) (buf []byte, n int) {
	for _, r := range l.memory {
		if n > 0 && int64(len(buf)+len(r)+frameHeader) > limit {
			break
		}
		buf = appendFrame(buf, r)
		n++
	}
	return buf, n
}

// forget removes the first n records from memory.
func (s *Spool) forget(l *lane, n int, dropped bool) {
	for i, r := range l.memory[:n] {
		s.memory -= int64(len(r))
		l.memory[i] = nil
	}
	l.memory = l.memory[n:]
	l.taken += uint64(n)
	if len(l.memory) == 0 {
		l.memory = nil
	}
	if dropped {
		l.dropped += uint64(n)
	}
}

// cutBack removes a record written in part. If that fails as well, nothing more is appended: Open and Next skip the rest.
func (s *Spool) cutBack(seg *segment) error {
	if err := seg.file.Truncate(seg.size); err != nil {
		return errors.Join(err, seg.seal())
	}
	return nil
}

// writable returns the segment to append to, a new one when the last is full, sealed or missing.
func (s *Spool) writable(l *lane, need int64) (*segment, error) {
	if n := len(l.segments); n > 0 && l.segments[n-1].file != nil {
		last := l.segments[n-1]
		if last.size+need <= s.cfg.SegmentBytes || last.records == 0 {
			return last, nil
		}
		if err := last.seal(); err != nil {
			return nil, fmt.Errorf("close spool segment: %w", err)
		}
	}
	path := s.segmentPath(l)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make spool segment: %w", err)
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		return nil, errors.Join(fmt.Errorf("make spool segment: %w", err), f.Close(), os.Remove(path))
	}
	return s.append(l, path, f), nil
}

// segmentPath names the next segment.
func (s *Spool) segmentPath(l *lane) string {
	return filepath.Join(s.cfg.Dir, fmt.Sprintf("%s-%016x.seg", l.name, s.next))
}

// append adds the next segment to a lane. Its file has the magic.
func (s *Spool) append(l *lane, path string, f *os.File) *segment {
	seg := &segment{number: s.next, path: path, file: f, size: int64(len(magic)), readAt: int64(len(magic))}
	l.segments = append(l.segments, seg)
	s.next++
	s.bytes += seg.size
	s.made = true
	return seg
}

// makeRoom drops segments until need more bytes fit. It reports false when only more valuable lanes have any.
func (s *Spool) makeRoom(laneIndex int, need int64) bool {
	for s.bytes+need+int64(len(magic)) > s.cfg.MaxBytes {
		if !s.dropOldest(laneIndex) {
			return false
		}
	}
	return true
}

func (s *Spool) dropOldest(upTo int) bool {
	for _, l := range s.lanes[:upTo+1] {
		if len(l.segments) == 0 {
			continue
		}
		seg := l.segments[0]
		l.dropped += uint64(seg.records - seg.read)
		s.remove(l, seg)
		return true
	}
	return false
}

// remove deletes a lane's first segment. A file that cannot be removed is delivered again after a restart, no worse.
func (s *Spool) remove(l *lane, seg *segment) {
	s.bytes -= seg.size
	l.segments = l.segments[1:]
	seg.dirty = false
	_ = seg.seal()
	_ = os.Remove(seg.path)
}

// trimMemory drops what is over MemoryBytes, in the order of the lanes, oldest first.
func (s *Spool) trimMemory() {
	for _, l := range s.lanes {
		n := 0
		for excess := s.memory - s.cfg.MemoryBytes; excess > 0 && n < len(l.memory); n++ {
			excess -= int64(len(l.memory[n]))
		}
		s.forget(l, n, true)
	}
}

// Sync makes what was appended survive loss of power. An error says that it may not, because it is only in memory or the
// disk failed.
func (s *Spool) Sync() error {
	files, made, refused := s.unsynced()
	errs := []error{refused}
	for _, f := range files {
		// A file that was delivered and closed in between needs no sync.
		if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, fmt.Errorf("sync spool: %w", err))
		}
	}
	if made {
		errs = append(errs, syncDir(s.cfg.Dir))
	}
	return errors.Join(errs...)
}

// unsynced takes the list under the lock, so that the disk is waited for without it.
func (s *Spool) unsynced() (files []*os.File, made bool, refused error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		for _, seg := range l.segments {
			if seg.dirty && seg.file != nil {
				files = append(files, seg.file)
			}
			seg.dirty = false
		}
	}
	made, s.made = s.made, false
	return files, made, s.refuse
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync spool: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
