package http1

import (
	"sync"
	"sync/atomic"

	"holdfast/balancer"
	"holdfast/exchange"
)

// places counts the idle connections to one instance, which has one limit for
// all loops. A loop keeps the places it took for a second at least, so that in
// steady state no request writes what others read.
type places struct {
	taken atomic.Int64
	users int // guarded by idlePlaces.mu
}

func (p *places) take() bool {
	if p.taken.Add(1) > exchange.MaxIdleUpstream {
		p.taken.Add(-1)
		return false
	}
	return true
}

func (p *places) giveBack(n int) {
	if n > 0 {
		p.taken.Add(int64(-n))
	}
}

// idlePlaces are those of all instances that loops have pools of.
type idlePlaces struct {
	mu  sync.Mutex
	all map[*balancer.Instance]*places
}

// of returns the places of an instance until drop.
func (s *idlePlaces) of(i *balancer.Instance) *places {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.all[i]
	if p == nil {
		p = &places{}
		s.all[i] = p
	}
	p.users++
	return p
}

func (s *idlePlaces) drop(i *balancer.Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.all[i]; p != nil {
		if p.users--; p.users == 0 {
			delete(s.all, i)
		}
	}
}
