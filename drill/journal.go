package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// journal keeps on disk what takes given orders back, so that somebody else
// can do it. It begins empty: what is left of another driver is taken back
// before.
type journal struct {
	path string

	mu   sync.Mutex
	left []Order
}

func journalPath(dir string) string { return filepath.Join(dir, "orders.json") }

// add writes what takes an order back before that is given.
func (j *journal) add(undo Order) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.left = append(j.left, undo)
	return j.write()
}

// done forgets an order that was taken back.
func (j *journal) done(undo Order) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := slices.Index(j.left, undo); i >= 0 {
		j.left = slices.Delete(j.left, i, i+1)
	}
	return j.write()
}

func (j *journal) write() error {
	b, err := json.Marshal(j.left)
	if err != nil {
		return fmt.Errorf("write the journal of orders: %w", err)
	}
	next := j.path + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("write the journal of orders: %w", err)
	}
	if err := os.Rename(next, j.path); err != nil {
		return fmt.Errorf("write the journal of orders: %w", err)
	}
	return nil
}

// TakeBack gives the orders that take back what a driver that is gone left in
// dir, last first, and returns them. What fails stays in the journal; what is
// refused was not in force, and goes.
func TakeBack(ctx context.Context, s Server, dir string) ([]Order, error) {
	b, err := os.ReadFile(journalPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal of orders: %w", err)
	}
	j := &journal{path: journalPath(dir)}
	if err := json.Unmarshal(b, &j.left); err != nil {
		return nil, fmt.Errorf("read the journal of orders %s: %w", j.path, err)
	}
	var done []Order
	var failures []error
	for _, o := range slices.Backward(slices.Clone(j.left)) {
		err := s.Order(ctx, o)
		if err != nil && !errors.Is(err, ErrRefused) {
			failures = append(failures, err)
			continue
		}
		if err == nil {
			done = append(done, o)
		}
		failures = append(failures, j.done(o))
	}
	return done, errors.Join(failures...)
}
