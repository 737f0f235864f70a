package alerting

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"holdfast/internal/store/spool"
)

// lockDir takes the directory; closing the file gives it back. ErrLocked of
// package spool says that another process has it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the directory of alerts: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(spool.ErrLocked, f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock the directory of alerts: %w", err), f.Close())
	}
	return f, nil
}
