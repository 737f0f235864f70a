package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	runSuffix    = ".json"
	reportSuffix = ".report.json"
	lockName     = "lock"
	lockPoll     = 50 * time.Millisecond
	// mostReport is how large a report is read back.
	mostReport = 64 << 20
	// mostFile bounds what is read of a run: all its moments fit several times.
	mostFile = 32 << 20
)

// kept is what a run's file holds.
type kept struct {
	Run     Run      `json:"run"`
	Moments []Moment `json:"moments"`
}

// shelf is the directory of the runs.
type shelf struct{ dir string }

func (s shelf) run(id string) string    { return filepath.Join(s.dir, id+runSuffix) }
func (s shelf) report(id string) string { return filepath.Join(s.dir, id+reportSuffix) }

// lock waits until nobody else has the directory. It is freed by closing the
// file, and when this process ends.
func (s shelf) lock(ctx context.Context) (*os.File, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of runs: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the directory of runs: %w", err)
	}
	ticker := time.NewTicker(lockPoll)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock the directory of runs: %w", err), f.Close())
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		}
	}
}

// write keeps a run, whole or not at all.
func (s shelf) write(k *kept) error {
	b, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("keep run %s: %w", k.Run.ID, err)
	}
	next := s.run(k.Run.ID) + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("keep run %s: %w", k.Run.ID, err)
	}
	if err := os.Rename(next, s.run(k.Run.ID)); err != nil {
		return fmt.Errorf("keep run %s: %w", k.Run.ID, err)
	}
	return nil
}

func (s shelf) read(id string) (*kept, error) {
	b, err := readAtMost(s.run(id), mostFile)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	k := &kept{}
	if err := json.Unmarshal(b, k); err != nil || k.Run.ID != id {
		return nil, fmt.Errorf("read run %s: its file is damaged", id)
	}
	return k, nil
}

var errTooLarge = errors.New("it is too large")

func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the name is made of an id
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = errTooLarge
	}
	return b, err
}

// ids are those of all runs, oldest first: they begin with the time.
func (s shelf) ids() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	var list []string
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), runSuffix)
		if ok && validID(id) {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list, nil
}

// validID says that an id is one of ours, and no path.
func validID(id string) bool {
	return len(id) == idLength && strings.Trim(id, "0123456789abcdef-") == ""
}

// remove forgets a run.
func (s shelf) remove(id string) error {
	var all []error
	half := []string{s.run(id) + ".new", s.report(id) + ".new"} // who wrote them was killed
	for _, path := range append(half, s.run(id), s.report(id)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// size is what a run takes.
func (s shelf) size(id string) (n int64) {
	for _, path := range []string{s.run(id), s.report(id)} {
		if info, err := os.Stat(path); err == nil {
			n += info.Size()
		}
	}
	return n
}

func (s shelf) hasReport(id string) bool {
	info, err := os.Stat(s.report(id))
	return err == nil && info.Size() <= mostReport
}
