package history_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/history"
	"holdfast/internal/store"
)

// nothing is a store without history.
type nothing struct {
	store.Histories
	drops []time.Time
	back  time.Time // until then it does not answer
}

func (*nothing) FreshMinutes(context.Context, int, int64, int64, int) ([]store.Minutes, error) {
	return nil, nil
}

func (n *nothing) DropHistory(context.Context, int64) (int64, error) {
	n.drops = append(n.drops, time.Now())
	if time.Now().Before(n.back) {
		return 0, store.ErrUnavailable
	}
	return 0, nil
}

func TestTheBackgroundWorkGoesOnAfterAnOutageAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &nothing{back: time.Now().Add(5 * time.Minute)}
		var reported []error
		h, err := history.New(history.Config{Store: n, Recorder: direct{}, OnError: func(err error) { reported = append(reported, err) }})
		ok(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { ok(t, h.Run(ctx)) })
		time.Sleep(25 * time.Minute)
		cancel()
		wg.Wait()
		if len(n.drops) != 3 || len(reported) != 1 || !errors.Is(reported[0], store.ErrUnavailable) {
			t.Errorf("%d turns, reported %v", len(n.drops), reported)
		}
	})
}
