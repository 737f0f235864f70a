package child

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// orphanAge is how long a dead process waits before it counts as nobody's: who
// waits for a child of his own takes it in at once.
const orphanAge = 5 * time.Second

// ReapOrphans takes in dead processes that nobody else waits for, until ctx
// ends; its error is nil. It is for the first process of a container, which
// becomes the parent of all whose own has ended: those that left their group
// would stay as zombies until no process id is left. Elsewhere an init does it.
func ReapOrphans(ctx context.Context) error {
	reapOrphans(ctx, orphanAge)
	return nil
}

func reapOrphans(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var before []corpse
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := deadChildren()
		for _, c := range now {
			if slices.Contains(before, c) {
				_, _ = unix.Wait4(c.pid, nil, unix.WNOHANG, nil) // fails if somebody came after all
			}
		}
		before = now
	}
}

// corpse is a dead process; its start tells it from a later one of the same id.
type corpse struct {
	pid   int
	start string
}

func deadChildren() []corpse {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is correct, which is the only error
	own := strconv.Itoa(os.Getpid())
	var list []corpse
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		// pid (name) state parent ... start: proc(5), fields 3, 4 and 22. The name
		// may hold anything.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 20 || fields[0] != "Z" || fields[1] != own {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			list = append(list, corpse{pid, fields[19]})
		}
	}
	return list
}
