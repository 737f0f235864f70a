package sysfault

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// revert takes a fault back. Done once more it does nothing.
func (u undo) revert() (err error) {
	switch u.Kind {
	case undoNothing:
	case undoThaw:
		return u.thaw()
	case undoCgroup:
		for _, m := range u.Groups {
			err = errors.Join(err, m.release())
		}
	case undoTable:
		return dropTable(u.Namespace, u.Table)
	case undoMount:
		return u.unmount()
	case undoFile:
		if err = os.Remove(u.File); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	default:
		return fmt.Errorf("it is not known how to take back %q: a newer version wrote it", u.Kind)
	}
	return err
}

// remains says whether something of the fault is still there.
func (u undo) remains() (bool, error) {
	switch u.Kind {
	case undoThaw:
		return slices.ContainsFunc(u.Processes, process.stopped), nil
	case undoCgroup:
		return slices.ContainsFunc(u.Groups, func(m moved) bool { return exists(m.Dir) }), nil
	case undoTable:
		return hasTable(u.Namespace, u.Table)
	case undoMount:
		b, err := os.ReadFile("/proc/self/mountinfo")
		_, there := topMount(string(b), u.Dir, u.Source)
		return there, err
	case undoFile:
		return exists(u.File), nil
	}
	return false, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
