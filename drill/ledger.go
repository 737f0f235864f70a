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

	"holdfast/loadtest"
)

// ledger compares what clients were told with what instances did.
type ledger struct {
	path   string
	prefix string // of the ids of this run

	mu    sync.Mutex
	acked map[string]struct{}
}

func newLedger(path string, now time.Time) *ledger {
	return &ledger{path: path, prefix: "drill-" + strconv.FormatInt(now.UnixNano(), 36) + "-", acked: map[string]struct{}{}}
}

// around makes the users note which POSTs got a good answer. A nil ledger
// leaves them as they are.
func (l *ledger) around(c loadtest.Client) loadtest.Client {
	if l == nil {
		return c
	}
	return &noting{c, l}
}

type noting struct {
	loadtest.Client

	ledger *ledger
}

// NewUser implements loadtest.Client.
func (n *noting) NewUser(i int) (loadtest.User, error) {
	u, err := n.Client.NewUser(i)
	if err != nil {
		return nil, err
	}
	return &notingUser{u, n.ledger}, nil
}

type notingUser struct {
	loadtest.User

	ledger *ledger
}

// Do implements loadtest.User.
func (u *notingUser) Do(ctx context.Context, s *loadtest.Shot) {
	u.User.Do(ctx, s)
	if s.Endpoint != 1 || s.Class != loadtest.OK {
		return
	}
	u.ledger.mu.Lock()
	defer u.ledger.mu.Unlock()
	u.ledger.acked[u.ledger.prefix+strconv.FormatInt(s.Seq, 10)] = struct{}{}
}

// read says how many of this run's requests were processed more than once, and
// how many were acknowledged and are not there.
func (l *ledger) read() (posts, duplicates, lost int, err error) {
	f, err := os.Open(l.path)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("read the ledger: %w", err)
	}
	seen := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if id, _, _ := strings.Cut(lines.Text(), " "); strings.HasPrefix(id, l.prefix) {
			seen[id]++
		}
	}
	if err := errors.Join(lines.Err(), f.Close()); err != nil {
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
