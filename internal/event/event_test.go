package event_test

import (
	"sync"
	"testing"

	"holdfast/internal/event"
)

func TestSinceReturnsWhatCameAfterInOrder(t *testing.T) {
	t.Parallel()
	b := event.NewBus(4)
	for range 3 {
		b.Publish(event.Event{Kind: event.Breaker})
	}
	if got := seqs(b.Since(1)); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("since 1: %v, want 2 3", got)
	}
	if got := b.Since(9); len(got) != 0 {
		t.Errorf("since the future: %v", got)
	}
}

func TestOnlyTheLastEventsAreKept(t *testing.T) {
	t.Parallel()
	b := event.NewBus(4)
	for range 10 {
		b.Publish(event.Event{})
	}
	if got := seqs(b.Since(0)); len(got) != 4 || got[0] != 7 || got[3] != 10 {
		t.Errorf("kept %v, want 7 to 10", got)
	}
}

func TestEveryEventReachesEverySubscriber(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[uint64]bool{}
	b := event.NewBus(8, func(e event.Event) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Seq] = true
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { b.Publish(event.Event{}) })
	}
	wg.Wait()
	if len(seen) != 50 {
		t.Errorf("%d different events seen, want 50", len(seen))
	}
}

func seqs(list []event.Event) []uint64 {
	var s []uint64
	for _, e := range list {
		s = append(s, e.Seq)
	}
	return s
}
