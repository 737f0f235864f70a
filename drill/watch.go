package drill

import (
	"context"
	"sync"
	"time"

	"holdfast/loadtest"
)

// watch looks at each request of the clients: what became of those that were due in the fault window, by kind, and which
// POSTs were acknowledged. The load's own result has either the window or the kind.
type watch struct {
	ledger   *ledger // nil: none
	from, to time.Duration

	mu sync.Mutex // guards what follows
	tally
}

// tally counts requests of the fault window.
type tally struct {
	gets, goodGets int64
	hung           int64         // had no answer when the client gave up
	spoiled        int64         // looked good and were not whole
	refusal        time.Duration // the longest that a POST took to fail
}

// around lets a watch see what a client does.
func (w *watch) around(c loadtest.Client) loadtest.Client { return &watched{c, w} }

type watched struct {
	loadtest.Client

	watch *watch
}

// NewUser implements loadtest.Client.
func (c *watched) NewUser(i int) (loadtest.User, error) {
	u, err := c.Client.NewUser(i)
	if err != nil {
		return nil, err
	}
	return &watchedUser{u, c.watch}, nil
}

type watchedUser struct {
	loadtest.User

	watch *watch
}

// Do implements loadtest.User.
func (u *watchedUser) Do(ctx context.Context, s *loadtest.Shot) {
	u.User.Do(ctx, s)
	done := s.Done
	if done == 0 {
		done = s.Now()
	}
	u.watch.add(s.Endpoint, s.Class, s.Planned, done-s.Dispatched)
	if s.Endpoint == postEndpoint && s.Class == loadtest.OK && u.watch.ledger != nil {
		u.watch.ledger.note(s.Seq)
	}
}

func (w *watch) add(endpoint int, class loadtest.Class, planned, took time.Duration) {
	if planned < w.from || planned >= w.to {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case endpoint == postEndpoint && class != loadtest.OK:
		w.refusal = max(w.refusal, took)
	case endpoint != postEndpoint:
		w.gets++
		w.goodGets += int64(bit(class == loadtest.OK))
	}
	w.hung += int64(bit(class == loadtest.Timeout))
	w.spoiled += int64(bit(class == loadtest.CheckFailed))
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}
