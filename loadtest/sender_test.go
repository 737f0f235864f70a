package loadtest_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
)

// ahead is a service whose users let others send.
type ahead struct {
	model

	sent, woken, missed atomic.Int64
}

func (a *ahead) NewUser(n int) (loadtest.User, error) {
	u, err := a.model.NewUser(n)
	inner, _ := u.(*modelUser)
	return &aheadUser{modelUser: inner, of: a, begun: make(chan struct{}, 1), gone: make(chan struct{})}, err
}

type aheadUser struct {
	*modelUser

	of    *ahead
	begun chan struct{}
	gone  chan struct{}

	mu                    sync.Mutex
	warm, waiting, missed bool
}

func (u *aheadUser) StandBy() bool {
	u.mu.Lock()
	u.waiting = u.warm && !u.missed
	waits := u.waiting
	u.mu.Unlock()
	if !waits {
		return false
	}
	select {
	case <-u.begun:
		return true
	case <-u.gone:
		return false
	}
}

func (u *aheadUser) Send(s *loadtest.Shot) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.missed = !u.waiting; u.missed {
		u.of.missed.Add(1)
		return false
	}
	s.Written = max(s.Now(), 1)
	u.waiting = false
	u.of.sent.Add(1)
	u.begun <- struct{}{}
	return true
}

func (u *aheadUser) Do(ctx context.Context, s *loadtest.Shot) {
	if s.Written == 0 {
		u.of.woken.Add(1)
	}
	u.mu.Lock()
	u.warm, u.missed = true, false
	u.mu.Unlock()
	u.modelUser.Do(ctx, s)
}

func (u *aheadUser) Dismiss() { close(u.gone) }

func TestAnOpenRunWakesNobodyForARequestThatCanBeSentAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &ahead{model: constant(5 * time.Millisecond)}
		r := do(t, loadtest.Config{Client: a, Rate: 100, Duration: 10 * time.Second})
		if a.sent.Load() < 990 || a.sent.Load()+a.woken.Load() != 1000 || a.missed.Load() != a.woken.Load() {
			t.Errorf("%d of 1,000 requests were sent ahead and %d not, %d users were not ready", a.sent.Load(), a.woken.Load(), a.missed.Load())
		}
		if r.Total.Counts[loadtest.OK] != 1000 || r.Series[3].InFlight > 1 {
			t.Errorf("ok %d, in flight %d", r.Total.Counts[loadtest.OK], r.Series[3].InFlight)
		}
		near(t, "service p50", r.Total.Service.Quantile(0.5), 5*time.Millisecond, 0.02)
	})
}

// Requests that wait for one of two users are sent by the first that is done; each is accounted for, however it was sent.
func TestABacklogIsSharedByUsersThatAreDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		a := &ahead{model: func(*loadtest.Shot) (time.Duration, loadtest.Class) {
			if at := time.Since(begun); at > time.Second && at < 2*time.Second {
				return 2*time.Second - at, loadtest.OK
			}
			return time.Millisecond, loadtest.OK
		}}
		r := do(t, loadtest.Config{Client: a, Rate: 100, Duration: 5 * time.Second, MaxInFlight: 2})
		if r.Total.Counts[loadtest.OK] != 500 || a.woken.Load() < 50 || a.sent.Load() < 300 {
			t.Errorf("ok %d, sent ahead %d, not %d", r.Total.Counts[loadtest.OK], a.sent.Load(), a.woken.Load())
		}
		near(t, "longest response", r.Total.Response.Max(), time.Second, 0.05)
	})
}

func TestATimeoutFindsARequestThatWasSentAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &ahead{model: func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			if s.Seq >= 50 {
				return time.Hour, loadtest.OK
			}
			return time.Millisecond, loadtest.OK
		}}
		r := do(t, loadtest.Config{Client: a, Rate: 100, Duration: time.Second, Timeout: 300 * time.Millisecond})
		if r.Total.Counts[loadtest.OK] != 50 || r.Total.Counts[loadtest.Timeout] != 50 || r.Total.ByClass[loadtest.Timeout].Min() < 300*time.Millisecond {
			t.Errorf("%v, the shortest timeout %v", r.Total.Counts, r.Total.ByClass[loadtest.Timeout].Min())
		}
	})
}

// tardy is a service whose users take a second to wake up, and forget an interruption that meets no Do.
type tardy struct{ ahead }

func (a *tardy) NewUser(n int) (loadtest.User, error) {
	u, err := a.ahead.NewUser(n)
	inner, _ := u.(*aheadUser)
	return tardyUser{inner}, err
}

type tardyUser struct{ *aheadUser }

func (u tardyUser) StandBy() bool {
	time.Sleep(time.Second)
	return u.aheadUser.StandBy()
}

func (u tardyUser) Do(ctx context.Context, s *loadtest.Shot) {
	select {
	case <-u.stop:
	default:
	}
	u.aheadUser.Do(ctx, s)
}

func TestARequestThatWaitsForItsUserToWakeUpStillTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &tardy{ahead{model: constant(time.Hour)}}
		r := do(t, loadtest.Config{Client: a, Rate: 10, Duration: time.Second, Timeout: 300 * time.Millisecond})
		if r.Total.Counts[loadtest.Timeout] != 10 || r.Total.Response.Max() > 2*time.Second || a.missed.Load() != 10 {
			t.Errorf("%v, the longest response %v, %d users were not ready", r.Total.Counts, r.Total.Response.Max(), a.missed.Load())
		}
		if last := r.Series[len(r.Series)-1]; last.InFlight != 0 {
			t.Errorf("%d requests are under way at the end", last.InFlight)
		}
	})
}
