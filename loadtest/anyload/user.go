package anyload

import (
	"context"
	"sync"

	"holdfast/loadtest"
)

// user is one client of several protocols. Do is called by one goroutine at a time, Interrupt by another meanwhile.
type user struct {
	client *Client
	users  []loadtest.User // by part

	mu  sync.Mutex
	now loadtest.User // whose Do is under way
}

var _ loadtest.User = (*user)(nil)

// Do implements loadtest.User.
func (u *user) Do(ctx context.Context, s *loadtest.Shot) {
	endpoint := s.Endpoint
	r := u.client.routes[endpoint]
	u.set(u.users[r.part])
	defer u.set(nil)
	s.Endpoint = r.endpoint
	u.users[r.part].Do(ctx, s)
	s.Endpoint = endpoint
}

func (u *user) set(now loadtest.User) {
	u.mu.Lock()
	u.now = now
	u.mu.Unlock()
}

// Interrupt implements loadtest.User.
func (u *user) Interrupt() {
	u.mu.Lock()
	now := u.now
	u.mu.Unlock()
	if now != nil {
		now.Interrupt()
	}
}

// Close implements loadtest.User.
func (u *user) Close() {
	for _, one := range u.users {
		one.Close()
	}
}
