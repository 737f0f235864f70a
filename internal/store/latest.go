package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// latest holds the newest state of each key until the store has it.
type latest struct {
	path  string // of the local file
	limit int

	mu      sync.Mutex
	last    time.Time // the newest stamp given or seen
	byKey   map[string]State
	lost    uint64
	since   time.Time // when the store took states last, or the first state came after that
	changed bool      // something was put since the file was written

	onDisk bool // the file is there; used by one goroutine at a time
}

func newLatest(dir string, limit int) *latest {
	return &latest{path: filepath.Join(dir, "states.json"), limit: limit, byKey: map[string]State{}}
}

// put keeps s unless a newer one is kept. A zero stamp becomes now, or just after the newest stamp known.
func (l *latest) put(s State, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Stamp().IsZero() {
		s = s.Stamped(l.nextStamp(now))
	}
	key := s.Key()
	old, exists := l.byKey[key]
	switch {
	case exists && !old.Stamp().Before(s.Stamp()):
		return true
	case !exists && len(l.byKey) >= l.limit:
		l.lost++
		return false
	}
	if len(l.byKey) == 0 {
		l.since = now
	}
	l.byKey[key] = s
	l.changed = true
	return true
}

// nextStamp requires l.mu.
func (l *latest) nextStamp(now time.Time) time.Time {
	at := now.UTC().Truncate(time.Microsecond)
	if !at.After(l.last) {
		at = l.last.Add(time.Microsecond)
	}
	l.last = at
	return at
}

// raise makes new stamps newer than at.
func (l *latest) raise(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.After(l.last) {
		l.last = at
	}
}

// all returns the states, oldest first.
func (l *latest) all() []State {
	l.mu.Lock()
	all := make([]State, 0, len(l.byKey))
	for _, s := range l.byKey {
		all = append(all, s)
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b State) int { return cmp.Or(a.Stamp().Compare(b.Stamp()), cmp.Compare(a.Key(), b.Key())) })
	return all
}

// done forgets states unless they were replaced meanwhile.
func (l *latest) done(states []State, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.since = at
	for _, s := range states {
		if now, ok := l.byKey[s.Key()]; ok && now.Stamp().Equal(s.Stamp()) {
			delete(l.byKey, s.Key())
		}
	}
}

func (l *latest) size() (n int, lost uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byKey), l.lost
}

// persist keeps the local file: it is there while the store has taken no state for longer than age. A disk that refuses costs what the
// file is for: states of a process that dies while the store is down.
func (l *latest) persist(age time.Duration, now time.Time) {
	all := l.all()
	switch {
	case len(all) == 0:
		if l.onDisk && os.Remove(l.path) == nil {
			l.onDisk = false
		}
	case l.takeChanged(now.Add(-age)):
		if l.write(all) != nil {
			l.setChanged()
		}
	}
}

func (l *latest) write(all []State) error {
	saved := make([]savedState, 0, len(all))
	for _, s := range all {
		one, err := encodeState(s)
		if err != nil {
			return err
		}
		saved = append(saved, one)
	}
	b, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	if err := replaceFile(l.path, b); err != nil {
		return err
	}
	l.onDisk = true
	return nil
}

// takeChanged reports whether the file must be written: states have waited since before, and are not those in the file.
func (l *latest) takeChanged(before time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.changed || l.since.After(before) {
		return false
	}
	l.changed = false
	return true
}

func (l *latest) setChanged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changed = true
}

// load reads what a process left that died while the store was down. A file that cannot be understood is worth nothing
// and is replaced by the next outage.
func (l *latest) load() error {
	b, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read states of the last outage: %w", err)
	}
	l.onDisk = true
	var saved []savedState
	_ = json.Unmarshal(b, &saved) // of a damaged file nothing is left, and the next outage replaces it
	for _, one := range saved {
		if s, err := decodeState(one); err == nil && !s.Stamp().IsZero() {
			l.put(s, time.Now())
			l.raise(s.Stamp())
		}
	}
	return nil
}

// replaceFile writes a file that is there whole or not at all.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".states-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
