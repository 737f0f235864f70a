package app

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// startOver is when what only the start needs has run, nearly always.
const startOver = 5 * time.Second

// forgetStart gives back the pages of the program that only its start touched:
// code and constants of all that is linked in and initialised, but not used by
// this configuration. They are half of an idle Holdfast's resident memory. Those
// that are needed come back from the page cache with a fault each.
func forgetStart(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-time.After(startOver):
		debug.FreeOSMemory() // the start made several times what stays
		forgetConstants()
	}
	return nil
}

// forgetConstants gives back all pages of the program that nobody can write to.
// Where there is no /proc, they stay.
func forgetConstants() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		if from, to, ok := constant(line, program); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED) // a refusal changes nothing
		}
	}
}

// constant reads a line of /proc/self/maps: a mapping of the program that
// nobody can write to, of which the file has every byte.
func constant(line, program string) (from, to uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || (fields[1] != "r-xp" && fields[1] != "r--p") {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to)
	return from, to, err == nil && from < to
}
