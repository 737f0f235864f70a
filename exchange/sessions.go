package exchange

import (
	"sync"
	"sync/atomic"
	"time"

	"holdfast/balancer"
)

// sessions remembers which instance each session of a function is on. It is
// bounded: when a shard is full an arbitrary session of it is forgotten, which
// costs that client its instance, not its answer.
type sessions struct {
	// void is the time up to which affinity cookies are void, in Unix
	// milliseconds. A time, not a count: gateways that share clients, and one
	// that was restarted, agree on it without talking.
	void   atomic.Int64
	shards [sessionShards]sessionShard
}

const (
	sessionShards   = 16
	sessionsPerPart = 8192 // 131,072 sessions per function, about 6 MiB
)

type sessionShard struct {
	mu sync.Mutex
	m  map[uint64]session
}

type session struct {
	instance *balancer.Instance
	expires  int64 // Unix nanoseconds
}

func (s session) alive(now int64) bool { return now < s.expires }

func (s *sessions) shard(key uint64) *sessionShard { return &s.shards[key%sessionShards] }

// find returns the instance of a session that has not expired.
func (s *sessions) find(key uint64, now time.Time) *balancer.Instance {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e, ok := sh.m[key]; ok && e.alive(now.UnixNano()) {
		return e.instance
	}
	return nil
}

// keep notes that a session is on an instance until expires.
func (s *sessions) keep(key uint64, i *balancer.Instance, now, expires time.Time) {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.m == nil {
		sh.m = map[uint64]session{}
	}
	if _, known := sh.m[key]; !known && len(sh.m) >= sessionsPerPart {
		sh.makeRoom(now.UnixNano())
	}
	sh.m[key] = session{i, expires.UnixNano()}
}

// makeRoom looks at a few sessions (maps iterate in random order) and forgets
// the expired ones, and the last one looked at.
func (sh *sessionShard) makeRoom(now int64) {
	looked := 0
	for key, e := range sh.m {
		if looked++; !e.alive(now) || looked == 8 {
			delete(sh.m, key)
		}
		if looked == 8 {
			return
		}
	}
}

// clear forgets all sessions and returns how many were alive.
func (s *sessions) clear(now time.Time) int {
	return s.sum(func(sh *sessionShard) int {
		n := sh.alive(now.UnixNano())
		sh.m = nil
		return n
	})
}

// count returns how many sessions are alive.
func (s *sessions) count(now time.Time) int {
	return s.sum(func(sh *sessionShard) int { return sh.alive(now.UnixNano()) })
}

func (s *sessions) sum(f func(*sessionShard) int) int {
	n := 0
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		n += f(sh)
		sh.mu.Unlock()
	}
	return n
}

func (sh *sessionShard) alive(now int64) int {
	n := 0
	for _, e := range sh.m {
		if e.alive(now) {
			n++
		}
	}
	return n
}

// voidUntil only ever moves forward.
func (s *sessions) voidUntil(ms int64) {
	for {
		old := s.void.Load()
		if ms <= old || s.void.CompareAndSwap(old, ms) {
			return
		}
	}
}
