package drill

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ledger compares what clients were told with what instances did.
type ledger struct {
	// entries says how often an id that begins with prefix is in it.
	entries func(ctx context.Context, prefix string) (map[string]int, error)
	prefix  string // of the ids of this run

	mu    sync.Mutex
	acked map[string]struct{}
}

func newLedger(c *Config, now time.Time) *ledger {
	entries := c.ReadLedger
	if entries == nil {
		entries = func(_ context.Context, prefix string) (map[string]int, error) { return readFile(c.Ledger, prefix) }
	}
	return &ledger{entries: entries, prefix: "drill-" + strconv.FormatInt(now.UnixNano(), 36) + "-", acked: map[string]struct{}{}}
}

// note keeps a POST that got a good answer.
func (l *ledger) note(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[l.prefix+strconv.FormatInt(seq, 10)] = struct{}{}
}

// read says how many of this run's requests were processed more than once, and
// how many were acknowledged and are not there.
func (l *ledger) read(ctx context.Context) (posts, duplicates, lost int, err error) {
	seen, err := l.entries(ctx, l.prefix)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("read the ledger: %w", err)
	}
	for _, n := range seen {
		duplicates += n - 1
	}
	for id := range l.acked {
		if seen[id] == 0 {
			lost++
		}
	}
	return len(l.acked), duplicates, lost, nil
}

// readFile counts the lines "id instance" by id.
func readFile(path, prefix string) (map[string]int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if id, _, _ := strings.Cut(lines.Text(), " "); strings.HasPrefix(id, prefix) {
			seen[id]++
		}
	}
	return seen, errors.Join(lines.Err(), f.Close())
}
