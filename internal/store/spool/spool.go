// Package spool is a bounded queue of records on the local disk, for what must survive the death of the process and an
// outage of its receiver.
//
// Records are in lanes. Each lane is a row of segment files; a record is appended to the last and read from the first, and
// a file is removed, or emptied for reuse, once all of it was delivered. Nothing is ever changed in place.
//
//	lane "event"   event-…04.seg  event-…07.seg  event-…09.seg ◄── Append
//	                    │ Next, then Done
//	                    ▼
//
// # Failure behaviour
//
// Append is one write to the operating system per call: what it accepted survives kill -9. Sync survives loss of power. A
// process that died while writing leaves a torn record at the end of its segment, which Open skips; segments of an earlier
// process are never appended to. Damage elsewhere costs the rest of that segment, and is counted.
//
// When MaxBytes are reached, the oldest segment of the first lane that has one is dropped, but never one of a lane behind
// the new record's own; if only such are left, the new records are dropped.
//
// When the disk is full, each lane has ReserveBytes of its own left, allocated before. When these are used up or the disk
// refuses for another reason, records stay in memory, up to MemoryBytes with the same order of dropping, and go to disk
// as soon as it takes them; kill -9 costs these. Everything dropped is counted per lane.
//
// After a crash a delivered record may be delivered again; the receiver must recognise it.
package spool

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Config says where the spool is and how large it may get.
type Config struct {
	Dir          string   // made when missing; one process at a time
	Lanes        []string // names of letters; the first is dropped first
	MaxBytes     int64    // of all segments; 0 is 64 MiB
	SegmentBytes int64    // of one segment, about; 0 is 1 MiB, at most an eighth of MaxBytes
	MemoryBytes  int64    // kept in memory while the disk refuses; 0 is 4 MiB
	ReserveBytes int64    // kept free on disk for each lane, besides MaxBytes; 0 is half of SegmentBytes
}

// ErrLocked says that another process uses the directory.
var ErrLocked = errors.New("spool is in use by another process")

// Spool is the queue. Safe for concurrent use; its methods wait for the local disk.
type Spool struct {
	cfg  Config
	lock *os.File

	mu     sync.Mutex // guards the rest, and the order of writes
	lanes  []*lane
	next   uint64 // number of the next segment
	bytes  int64  // of all segments
	memory int64  // of all records in memory
	refuse error  // why the disk took nothing last time
	full   error  // why there are no reserves, or why they are in use
	made   bool   // a file was made since the last Sync
}

// lane is what one kind of record has.
type lane struct {
	name     string
	segments []*segment // oldest first
	memory   [][]byte   // what the disk refused, behind all segments
	taken    uint64     // number of the first record in memory, counting all that ever were
	dropped  uint64
	damaged  uint64 // bytes
	reserved bool   // the reserve is there
}

// segment is one file. Only the last of a lane has file set, and only when this process made it.
type segment struct {
	number  uint64
	path    string
	file    *os.File
	dirty   bool
	size    int64 // of whole records and the magic
	records int
	readAt  int64 // delivered up to here
	read    int   // records delivered
}

// Stats is the state of a spool.
type Stats struct {
	Bytes   int64    // of the segments
	Memory  int      // records that are only in memory
	Records []int    // waiting, per lane, those in memory included
	Dropped []uint64 // records, per lane, since Open
	Damaged uint64   // bytes that could not be read, since Open
	Refused error    // why the disk takes nothing, or no more than was kept free; nil when it does
}

// Open takes the directory over, with what an earlier process left.
func Open(c Config) (*Spool, error) {
	c.MaxBytes = cmp.Or(c.MaxBytes, 64<<20)
	c.SegmentBytes = min(cmp.Or(c.SegmentBytes, 1<<20), c.MaxBytes/8)
	c.MemoryBytes = cmp.Or(c.MemoryBytes, 4<<20)
	c.ReserveBytes = cmp.Or(c.ReserveBytes, c.SegmentBytes/2)
	s := &Spool{cfg: c, next: 1}
	for _, name := range c.Lanes {
		s.lanes = append(s.lanes, &lane{name: name})
	}
	if err := s.takeLock(); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), s.lock.Close())
	}
	_ = s.Reserve() // a full disk is no reason not to begin; Stats tells
	return s, nil
}

// lockTries is how often a directory may be removed under the one who is about to take it.
const lockTries = 50

// takeLock makes the directory and takes it. Who removes it (see Remove) does so with the lock, so a lock counts only when
// its file is the one that is there.
func (s *Spool) takeLock() error {
	path := filepath.Join(s.cfg.Dir, "lock")
	for range lockTries {
		err := os.MkdirAll(s.cfg.Dir, 0o700)
		if errors.Is(err, os.ErrExist) { // it was there and is not any more; a file in its place is another error
			continue
		}
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return errors.Join(fmt.Errorf("%w: %s", ErrLocked, s.cfg.Dir), f.Close())
		}
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			s.lock = f
			return nil
		}
		_ = f.Close() // nothing was written
	}
	return fmt.Errorf("%s is removed again and again", s.cfg.Dir)
}

// load finds the segments of earlier processes.
func (s *Spool) load() error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		l, number, ok := s.parseName(e.Name())
		if !ok {
			continue
		}
		s.next = max(s.next, number+1)
		if err := s.adopt(l, number, filepath.Join(s.cfg.Dir, e.Name())); err != nil {
			return err
		}
	}
	for _, l := range s.lanes {
		slices.SortFunc(l.segments, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	}
	return nil
}

func (s *Spool) parseName(file string) (l *lane, number uint64, ok bool) {
	base, isSegment := strings.CutSuffix(file, ".seg")
	name, digits, _ := strings.Cut(base, "-")
	number, err := strconv.ParseUint(digits, 16, 64)
	i := slices.IndexFunc(s.lanes, func(l *lane) bool { return l.name == name })
	if !isSegment || err != nil || i < 0 {
		return nil, 0, false
	}
	return s.lanes[i], number, true
}

func (s *Spool) adopt(l *lane, number uint64, path string) error {
	content, err := s.readSegment(path)
	if err != nil {
		return err
	}
	records, valid, err := scan(content)
	if err != nil {
		l.damaged += uint64(int64(len(content)) - valid)
	}
	if records == 0 {
		return os.Remove(path)
	}
	l.segments = append(l.segments, &segment{number: number, path: path, size: valid, records: records, readAt: int64(len(magic))})
	s.bytes += valid
	return nil
}

// readSegment reads a file, of which no more than a segment can ever have is looked at.
func (s *Spool) readSegment(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, min(info.Size(), 64<<20))
	n, err := f.ReadAt(b, 0)
	if n < len(b) && err != nil {
		return nil, err
	}
	return b[:n], nil
}

// Stats returns the state.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Bytes: s.bytes, Refused: cmp.Or(s.refuse, s.full)}
	for _, l := range s.lanes {
		n := len(l.memory)
		for _, seg := range l.segments {
			n += seg.records - seg.read
		}
		st.Memory += len(l.memory)
		st.Records = append(st.Records, n)
		st.Dropped = append(st.Dropped, l.dropped)
		st.Damaged += l.damaged
	}
	return st
}

// Close closes the files and gives up the directory. What is only in memory is lost.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.close()
}

// Remove is Close for a spool that is not needed any more: its directory goes too, unless records wait in it or it holds
// what is not the spool's.
func (s *Spool) Remove() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		for _, seg := range l.segments {
			if seg.read < seg.records {
				return s.close()
			}
		}
	}
	for _, l := range s.lanes {
		_ = os.Remove(s.reserve(l)) // what stays keeps the directory
		for _, seg := range l.segments {
			_ = os.Remove(seg.path)
		}
	}
	// The lock goes before the directory, which is only removed when it is empty: who takes it in between keeps it.
	_ = os.Remove(s.lock.Name())
	_ = os.Remove(s.cfg.Dir)
	return s.close()
}

// close requires s.mu.
func (s *Spool) close() error {
	var errs []error
	for _, l := range s.lanes {
		for _, seg := range l.segments {
			errs = append(errs, seg.seal())
		}
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// seal closes the file; nothing is appended any more.
func (seg *segment) seal() error {
	if seg.file == nil {
		return nil
	}
	f := seg.file
	seg.file = nil
	if seg.dirty {
		if err := f.Sync(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
