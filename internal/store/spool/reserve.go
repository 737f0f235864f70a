package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// reserve is the file in which a lane keeps space for a full disk: zeros, which become a segment when the disk takes
// nothing more. Records are then written into space that is there already. A file system that writes elsewhere what is
// written anew (btrfs, ZFS) may refuse all the same; the records then wait in memory.
func (s *Spool) reserve(l *lane) string { return filepath.Join(s.cfg.Dir, l.name+".reserve") }

// Reserve makes the reserves that are not there: after the disk was full, once it has room. An error says that it has
// none. Open calls it; call it now and then.
func (s *Spool) Reserve() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lanes {
		if err := s.reserveLane(l); err != nil {
			s.full = fmt.Errorf("keep space for a full disk: %w", err)
			return s.full
		}
	}
	s.full = nil
	return nil
}

func (s *Spool) reserveLane(l *lane) error {
	if l.reserved {
		return nil
	}
	path := s.reserve(l)
	if info, err := os.Stat(path); err == nil && info.Size() == s.cfg.ReserveBytes {
		l.reserved = true
		return nil
	}
	if err := os.WriteFile(path, make([]byte, s.cfg.ReserveBytes), 0o600); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	l.reserved = true
	return nil
}

// useReserve makes the lane's reserve its last segment. It reports false when there is none.
func (s *Spool) useReserve(l *lane) bool {
	if !l.reserved {
		return false
	}
	l.reserved = false
	if n := len(l.segments); n > 0 && l.segments[n-1].seal() != nil {
		return false
	}
	path := s.segmentPath(l)
	if os.Rename(s.reserve(l), path) != nil {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		_ = os.Remove(path) // or the next segment could not have its name
		return false
	}
	if _, err := f.WriteAt([]byte(magic), 0); err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return false
	}
	s.append(l, path, f)
	return true
}

// isFull says whether the disk has no room, for anybody or for this user.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
