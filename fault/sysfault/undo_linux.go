package sysfault

import (
	"errors"
	"fmt"
	"os"
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
