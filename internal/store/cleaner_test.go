package store_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/store"
)

// keeper counts cleanups; the second one fails.
type keeper struct {
	store.Keeper
	at   []time.Time
	ages []time.Duration
}

func (k *keeper) Cleanup(_ context.Context, olderThan time.Duration) ([]store.OldRows, error) {
	k.at, k.ages = append(k.at, time.Now()), append(k.ages, olderThan)
	if len(k.at) == 2 {
		return nil, store.ErrUnavailable
	}
	return []store.OldRows{{Table: "holdfast_events", Rows: 1}}, nil
}

func TestCleaningComesBackAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, began := &keeper{}, time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var failures int
		var wg sync.WaitGroup
		wg.Go(func() {
			c := store.Cleaner{Store: k, OnDone: func(_ []store.OldRows, err error) {
				if err != nil {
					failures++
				}
			}}
			if err := c.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(72 * time.Hour)
		cancel()
		wg.Wait()
		want := []time.Duration{time.Hour, 25 * time.Hour, 26 * time.Hour, 50 * time.Hour}
		if len(k.at) != len(want) || failures != 1 {
			t.Fatalf("%d turns, %d failures, want %d and 1", len(k.at), failures, len(want))
		}
		for i, at := range k.at {
			if at.Sub(began) != want[i] || k.ages[i] != store.DefaultRetention {
				t.Errorf("turn %d after %v, older than %v", i, at.Sub(began), k.ages[i])
			}
		}
	})
}
