package alerting

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/alerting/channel"
)

// beats is how many heartbeats a receiver has got.
func (r *receiver) beats() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.got {
		if r.got[i].Heartbeat {
			n++
		}
	}
	return n
}

// A heartbeat says that somebody would have noticed: it must end when the looks do, not only when the process does.
func TestHeartbeatsComeWhileSomebodyLooksAndEndWhenTheLooksAreStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: taking}
		var stuck atomic.Bool
		release := make(chan struct{})
		s := New(Config{
			Dir: t.TempDir(),
			View: func(now time.Time) View {
				if stuck.Load() {
					<-release
				}
				return View{At: now}
			},
			Settings: Settings{Channels: []channel.Channel{r}, Heartbeat: 10 * time.Second},
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		minute := func() int {
			before := r.beats()
			time.Sleep(time.Minute)
			synctest.Wait()
			return r.beats() - before
		}
		if n := minute(); n < 5 || n > 7 {
			t.Errorf("%d heartbeats in a minute, want one each 10 s", n)
		}
		stuck.Store(true)
		if n := minute(); n > 4 {
			t.Errorf("%d heartbeats in the minute in which nobody looked any more, want those of half a minute", n)
		}
		if n := minute(); n != 0 {
			t.Errorf("%d heartbeats a minute after the last look", n)
		}
		stuck.Store(false)
		close(release)
		if n := minute(); n < 5 {
			t.Errorf("%d heartbeats in a minute once somebody looks again", n)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
