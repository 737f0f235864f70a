package alerting

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/alerting/channel"
)

// freshLook is how old the last look may be for all to be well: a heartbeat
// says that somebody would have noticed.
const freshLook = 30 * time.Second

// beat sends heartbeats until ctx ends. They are not queued: one that is late is
// worth nothing.
func (s *Service) beat(ctx context.Context) {
	for {
		s.mu.Lock()
		every := s.settings.Heartbeat
		s.mu.Unlock()
		wait := every
		if every <= 0 {
			wait = time.Minute // somebody may switch them on
		}
		if every > 0 && s.looks(time.Now()) {
			s.beatAll(ctx, every)
		} else if every > 0 {
			wait = tick // it has not looked yet
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (s *Service) looks(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.looked) < freshLook
}

func (s *Service) beatAll(ctx context.Context, every time.Duration) {
	now := time.Now()
	n := &channel.Notification{ID: "heartbeat-" + uuid.NewString(), Group: "heartbeat", Heartbeat: true, At: now}
	to := slices.DeleteFunc(s.all(), func(one *sender) bool { return !channel.Wants(one.channel, n) })
	ctx, stop := context.WithTimeout(ctx, min(every, sendTimeout))
	defer stop()
	var wg sync.WaitGroup
	for _, one := range to {
		wg.Go(func() { s.beatOne(ctx, one, n, every) })
	}
	wg.Wait()
}

func (s *Service) beatOne(ctx context.Context, one *sender, n *channel.Notification, every time.Duration) {
	err := one.send(ctx, n)
	now := time.Now()
	if err == nil {
		one.succeeded(now)
	} else if one.failed(err, errors.Is(err, channel.ErrRefused), now, every) {
		s.config.OnNotice(Notice{Channel: one.channel.Name(), Kind: Delayed, Error: err, Retry: every})
	}
}
