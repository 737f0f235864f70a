package alerting

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"holdfast/internal/alerting/channel"
)

const (
	sendTimeout = 30 * time.Second
	backoffBase = time.Second
	backoffMost = 5 * time.Minute
)

// sender delivers the queue of one channel, one notification after another, the
// oldest first: what comes later may be about the same.
type sender struct {
	channel channel.Channel
	queue   *queue
	tell    func(Notice)
	firing  func() []channel.Alert // for receivers that forget
	unkept  bool                   // of who puts: the disk refused the last notification

	mu    sync.Mutex
	stats Delivery
	// owed is since when notifications may be lost to the channel; zero: none are.
	// paid is when it was last told once more.
	owed, paid time.Time
}

// debtEvery is how often a channel that takes some and refuses some is told once
// more what fires.
const debtEvery = time.Hour

// owes is since when something is owed; zero: nothing is.
func (s *sender) owes() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owed
}

// debt says that now is the time to tell once more, and since when. It is
// settled with that: what is refused is owed anew. One that refused before a
// restart is tried, else it must have taken something since.
func (s *sender) debt(now time.Time) (since time.Time, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.wasDamaged() && s.owed.IsZero() {
		s.owed = now.Add(-day)
	}
	if s.owed.IsZero() || s.stats.Hopeless && s.stats.Refused > 0 || !s.paid.IsZero() && now.Sub(s.paid) < debtEvery {
		return time.Time{}, false
	}
	since, s.owed = s.owed, time.Time{}
	return since, true
}

// pay says that something was told once more.
func (s *sender) pay(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paid = now
}

// Delivery is how it goes with a channel. Counters are since the start.
type Delivery struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Sent    uint64 `json:"sent"`
	Failed  uint64 `json:"failed" doc:"tries that failed"`
	Retried uint64 `json:"retried" doc:"tries after the first"`
	Refused uint64 `json:"refused" doc:"notifications that were given up because the receiver refuses them for good"`
	Dropped uint64 `json:"dropped" doc:"notifications lost because the queue was full"`
	Waiting int    `json:"waiting" doc:"notifications in the queue"`
	// Oldest is when the oldest one that waits was made.
	Oldest  time.Time `json:"oldest,omitzero"`
	LastOK  time.Time `json:"last_delivered,omitzero"`
	Since   time.Time `json:"failing_since,omitzero"`
	Next    time.Time `json:"next_try,omitzero"`
	Trouble string    `json:"trouble,omitempty" doc:"why the last try failed; missing: it did not"`
	// Hopeless: it refused the last one for good.
	Hopeless bool `json:"refuses,omitempty"`
}

// Notice is something that happened on the way to a channel.
type Notice struct {
	Channel string
	Kind    NoticeKind
	Count   uint64
	Error   error
	Retry   time.Duration
}

// NoticeKind says what a Notice is about.
type NoticeKind uint8

// The kinds.
const (
	Delayed   NoticeKind = iota // a try failed, the first since one that did not; it is tried again
	Refused                     // the receiver refuses a notification for good: it is given up
	Delivered                   // it takes notifications again
	Dropped                     // the queue was full: Count are lost
	Unkept                      // the disk refuses: what is known is in memory only
)

// run delivers until ctx ends.
func (s *sender) run(ctx context.Context) {
	tries, unread := 0, false
	var repeat <-chan time.Time // nil: the receiver forgets nothing
	if r, ok := s.channel.(channel.Repeater); ok && r.Repeat() > 0 {
		ticker := time.NewTicker(r.Repeat())
		defer ticker.Stop()
		repeat = ticker.C
	}
	for ctx.Err() == nil {
		n, done, err := s.queue.head()
		switch {
		case err != nil:
			if !unread {
				s.tell(Notice{Channel: s.channel.Name(), Kind: Unkept, Error: err})
			}
			unread = true
			s.rest(ctx, backoffBase, repeat)
		case n == nil:
			tries, unread = 0, false
			s.waitsSince(time.Time{})
			s.rest(ctx, 0, repeat)
		default:
			s.waitsSince(n.At)
			if wait := s.try(ctx, n, tries); wait > 0 {
				tries++
				s.pause(ctx, wait)
				continue
			}
			if ctx.Err() == nil {
				done()
				tries = 0
			}
		}
	}
}

// try sends once and returns how long to wait before the next try; 0: it is
// done with, unless ctx has ended.
func (s *sender) try(ctx context.Context, n *channel.Notification, tries int) time.Duration {
	if tries > 0 {
		s.mu.Lock()
		s.stats.Retried++
		s.mu.Unlock()
	}
	err := s.send(ctx, n)
	if ctx.Err() != nil && err != nil {
		return 0 // the process ends: the next one tries again
	}
	now := time.Now()
	if err == nil {
		s.succeeded(now)
		return 0
	}
	refused := errors.Is(err, channel.ErrRefused)
	wait := backoff(tries, err)
	first := s.failed(err, refused, now, wait)
	switch {
	case refused:
		s.tell(Notice{Channel: s.channel.Name(), Kind: Refused, Error: err})
		return 0
	case first:
		s.tell(Notice{Channel: s.channel.Name(), Kind: Delayed, Error: err, Retry: wait})
	}
	return wait
}

func (s *sender) send(ctx context.Context, n *channel.Notification) error {
	ctx, stop := context.WithTimeout(ctx, sendTimeout)
	defer stop()
	return s.channel.Send(ctx, n)
}

// backoff is exponential with full jitter above a half; a receiver that says
// when to come back is believed.
func backoff(tries int, err error) time.Duration {
	if l, ok := errors.AsType[*channel.Later](err); ok {
		return max(l.After, backoffBase)
	}
	d := min(backoffBase<<min(tries, 20), backoffMost)
	return d/2 + rand.N(d/2)
}

func (s *sender) succeeded(now time.Time) {
	s.mu.Lock()
	was := s.stats.Trouble != ""
	s.stats.Sent++
	s.stats.LastOK, s.stats.Trouble, s.stats.Hopeless = now, "", false
	s.stats.Since, s.stats.Next = time.Time{}, time.Time{}
	s.mu.Unlock()
	if was {
		s.tell(Notice{Channel: s.channel.Name(), Kind: Delivered})
	}
}

func (s *sender) failed(err error, refused bool, now time.Time, wait time.Duration) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.stats.Trouble == ""
	s.stats.Failed++
	s.stats.Trouble, s.stats.Hopeless = err.Error(), refused
	if s.stats.Since.IsZero() {
		s.stats.Since = now
	}
	s.stats.Next = now.Add(wait)
	if refused {
		if s.owed.IsZero() {
			s.owed = now
		}
		s.stats.Refused++
		s.stats.Next = time.Time{}
	}
	return first
}

func (s *sender) waitsSince(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Oldest = at
}

// delivery returns how it goes.
func (s *sender) delivery() Delivery {
	s.mu.Lock()
	d := s.stats
	s.mu.Unlock()
	d.Name, d.Kind = s.channel.Name(), s.channel.Kind()
	d.Waiting, d.Dropped = s.queue.size()
	return d
}

// pause waits before another try.
func (s *sender) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// rest waits until there is something to deliver, or for a while where that is
// over 0. Meanwhile it reminds a receiver that forgets.
func (s *sender) rest(ctx context.Context, wait time.Duration, repeat <-chan time.Time) {
	var after <-chan time.Time
	if wait > 0 {
		after = time.After(wait)
	}
	select {
	case <-s.queue.wake:
	case <-after:
	case now := <-repeat:
		s.remind(ctx, now)
	case <-ctx.Done():
	}
}

// remind says again what fires. What fails is not kept: the next time comes.
func (s *sender) remind(ctx context.Context, now time.Time) {
	list := s.firing()
	for len(list) > 0 && ctx.Err() == nil {
		some := list[:min(len(list), maxAlerts)]
		list = list[len(some):]
		n := &channel.Notification{Group: "reminder", At: now, Alerts: some}
		n.ID = notificationID(n.Group, n, uint64(now.UnixNano()))
		if !channel.Wants(s.channel, n) {
			continue
		}
		if err := s.send(ctx, n); err != nil {
			if s.failed(err, errors.Is(err, channel.ErrRefused), now, 0) && ctx.Err() == nil {
				s.tell(Notice{Channel: s.channel.Name(), Kind: Delayed, Error: err})
			}
			return
		}
		s.succeeded(now)
	}
}
