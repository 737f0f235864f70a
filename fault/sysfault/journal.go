package sysfault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// entry is a line of the journal: a fault that is about to be injected, or with Done, one that was taken back.
type entry struct {
	ID    string    `json:"id"`
	Fault string    `json:"fault,omitempty"`
	Until time.Time `json:"until,omitzero"` // when the guard takes it back at the latest
	Undo  undo      `json:"undo,omitzero"`
	Done  bool      `json:"done,omitempty"`
}

// undo is how a fault is taken back, as data. Of its fields only those of its kind are set.
type undo struct {
	Kind      string    `json:"kind"`
	Group     int       `json:"group,omitempty"` // thaw: process group; 0: only Processes
	Processes []process `json:"processes,omitempty"`
	Groups    []moved   `json:"groups,omitempty"`    // cgroup
	Table     string    `json:"table,omitempty"`     // nftables
	Namespace string    `json:"namespace,omitempty"` // nftables
	Dir       string    `json:"dir,omitempty"`       // mount
	Source    string    `json:"source,omitempty"`    // mount: the name it was given
	File      string    `json:"file,omitempty"`      // ballast
}

const (
	undoNothing = ""
	undoThaw    = "thaw"
	undoCgroup  = "cgroup"
	undoTable   = "nftables"
	undoMount   = "mount"
	undoFile    = "file"
)

// process is one of which can be told later whether it is still the same.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // ticks since the machine started
}

// moved is a control group that a fault made, and where the processes in it came from.
type moved struct {
	Dir  string `json:"dir"`
	Home string `json:"home"`
}

const (
	journalName = "faults.journal"
	lockWait    = 10 * time.Second
	lockPause   = 5 * time.Millisecond
)

// journal is a file with a lock that dies with its holder.
type journal struct {
	path string
	mu   sync.Mutex // one line at a time
	file *os.File
}

// openJournal opens and locks; only one driver may use a directory at a time.
func openJournal(ctx context.Context, path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open fault journal: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	ticker := time.NewTicker(lockPause)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &journal{path: path, file: file}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock fault journal %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("lock fault journal %s: another driver holds it", path)
		case <-ticker.C:
		}
	}
}

// add writes an entry; it is on disk when add returns.
func (j *journal) add(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write fault journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write fault journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write fault journal: %w", err)
	}
	return nil
}

// readOpen returns the faults that were not taken back, last first: what came later may stand on what came before.
func readOpen(path string) ([]entry, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read fault journal: %w", err)
	}
	var list []entry
	done := map[string]bool{}
	for line := range bytes.Lines(b) {
		var e entry
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &e) != nil {
			continue // a line that was not written to its end: its fault was not injected
		}
		if e.Done {
			done[e.ID] = true
			continue
		}
		list = append(list, e)
	}
	open := make([]entry, 0, len(list))
	for _, e := range slices.Backward(list) {
		if !done[e.ID] {
			open = append(open, e)
		}
	}
	return open, nil
}

// settle takes back all that is open and empties the journal. What cannot be taken back stays in it.
func (j *journal) settle() (reverted []entry, err error) {
	open, err := readOpen(j.path)
	if err != nil {
		return nil, err
	}
	for _, e := range open {
		if failed := e.Undo.revert(); failed != nil {
			err = errors.Join(err, fmt.Errorf("take back %s: %w", e.Fault, failed))
			continue
		}
		reverted = append(reverted, e)
		err = errors.Join(err, j.add(entry{ID: e.ID, Done: true}))
	}
	if err != nil {
		return reverted, err
	}
	if err := j.file.Truncate(0); err != nil {
		return reverted, fmt.Errorf("empty fault journal: %w", err)
	}
	return reverted, nil
}

// close gives the lock up.
func (j *journal) close() { _ = j.file.Close() }

// makeJournal creates the directory.
func makeJournal(ctx context.Context, dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of fault journal: %w", err)
	}
	abs, err := filepath.Abs(filepath.Join(dir, journalName))
	if err != nil {
		return nil, fmt.Errorf("find fault journal: %w", err)
	}
	return openJournal(ctx, abs)
}
