package alerting

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/alerting/channel"
)

// receiver is a channel that answers what a test says.
type receiver struct {
	mu     sync.Mutex
	answer func(n *channel.Notification) error
	got    []channel.Notification
	tries  []time.Time
}

func (*receiver) Name() string { return "r" }
func (*receiver) Kind() string { return "test" }

func (r *receiver) Send(_ context.Context, n *channel.Notification) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries = append(r.tries, time.Now())
	if err := r.answer(n); err != nil {
		return err
	}
	r.got = append(r.got, *n)
	return nil
}

func TestASenderTriesAgainLaterAndGivesUpWhatIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		q, err := openQueue(dir, "r", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer q.close()
		failures := 3
		r := &receiver{answer: func(n *channel.Notification) error {
			switch {
			case n.ID == "bad":
				return fmt.Errorf("%w: no such hook", channel.ErrRefused)
			case n.ID == "later" && failures == 0:
				failures--
				return &channel.Later{After: time.Hour, Err: errors.New("too many")}
			case failures > 0:
				failures--
				return errors.New("down")
			}
			return nil
		}}
		var notices []Notice
		s := &sender{channel: r, queue: q, tell: func(n Notice) { notices = append(notices, n) }, firing: func() []channel.Alert { return nil }}
		for _, id := range []string{"first", "bad", "later", "last"} {
			if err := q.put(&channel.Notification{ID: id, At: time.Now(), Alerts: []channel.Alert{{Severity: channel.Warning}}}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.run(ctx) }()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if d := s.delivery(); d.Sent != 1 || d.Failed != 5 || d.Refused != 1 || d.Waiting != 2 || d.Trouble == "" || d.Retried != 3 {
			t.Errorf("while the receiver says later: %+v", d)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if d := s.delivery(); d.Sent != 3 || d.Waiting != 0 || d.Trouble != "" {
			t.Errorf("in the end: %+v", d)
		}
		if len(r.got) != 3 || r.got[0].ID != "first" || r.got[1].ID != "later" || r.got[2].ID != "last" {
			t.Errorf("delivered %v", r.got)
		}
		if wait := r.tries[1].Sub(r.tries[0]); wait < backoffBase/2 || wait > backoffBase {
			t.Errorf("tried again after %s", wait)
		}
		kinds := fmt.Sprint(len(notices) > 2 && notices[0].Kind == Delayed && notices[1].Kind == Delivered && notices[2].Kind == Refused)
		if kinds != "true" {
			t.Errorf("told %+v", notices)
		}
		stop()
		<-done
	})
}

func TestAFullQueueDropsInfoBeforeWarningsBeforeCritical(t *testing.T) {
	t.Parallel()
	q, err := openQueue(t.TempDir(), "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	text := make([]byte, 200<<10)
	for i := range text {
		text[i] = 'x'
	}
	count := map[channel.Severity]int{}
	for _, s := range []channel.Severity{channel.Critical, channel.Warning, channel.Info} {
		for range 15 { // of each 3 MB, of 8 MiB in all
			if err := q.put(&channel.Notification{ID: string(s), Alerts: []channel.Alert{{Severity: s, Summary: string(text)}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for {
		n, done, err := q.head()
		if err != nil {
			t.Fatal(err)
		}
		if n == nil {
			break
		}
		count[n.Alerts[0].Severity]++
		done()
	}
	_, dropped := q.size()
	if count[channel.Critical] != 15 || count[channel.Warning] != 15 || count[channel.Info] == 15 || int(dropped)+count[channel.Info] != 15 {
		t.Errorf("left %v, dropped %d", count, dropped)
	}
}

// A service that ends and one that goes on in its place: what was told stays
// told, and what ended in between is told once.
func TestAServiceGoesOnWhereTheOneBeforeEnded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(*channel.Notification) error { return nil }}
		down := true
		run := func(long time.Duration) {
			s := New(Config{
				Dir: dir, View: func(now time.Time) View { return View{At: now, Store: Store{Down: down, Reason: "gone"}} },
				Settings: Settings{Rules: BuiltIn(), Channels: []channel.Channel{r}, Pace: Pace{Wait: time.Second, Repeat: 4 * time.Hour}},
			})
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			time.Sleep(long)
			synctest.Wait()
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		run(time.Minute)
		if len(r.got) != 1 || r.got[0].Resolved() || r.got[0].Alerts[0].Rule != StoreDown {
			t.Fatalf("told %+v", r.got)
		}
		run(time.Minute) // it is still down
		if len(r.got) != 1 {
			t.Fatalf("told again after a restart: %+v", r.got)
		}
		down = false
		run(time.Minute)
		if len(r.got) != 2 || !r.got[1].Resolved() || r.got[1].Alerts[0].ID != r.got[0].Alerts[0].ID {
			t.Fatalf("its end: %+v", r.got)
		}
		run(time.Minute)
		if len(r.got) != 2 {
			t.Errorf("told once more: %+v", r.got)
		}
	})
}
