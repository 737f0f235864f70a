package state_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/store"
	"holdfast/test/holdfast"
)

// happened is an event as the running Holdfast tells it.
type happened struct {
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Function string    `json:"function"`
	Instance string    `json:"instance"`
	From     string    `json:"from"`
	To       string    `json:"to"`
}

// String names a fact by what the stores keep of it: microseconds.
func (h happened) String() string {
	return fmt.Sprintf("%s %s %s/%s %s>%s", h.At.UTC().Truncate(time.Microsecond).Format("15:04:05.000000"), h.Kind, h.Function, h.Instance, h.From, h.To)
}

// book is the ledger: all that Holdfast said has happened.
type book struct {
	mu   sync.Mutex
	all  []happened
	last uint64
}

// follow writes down what happens until stop is called.
func (b *book) follow(t *testing.T, p *holdfast.Process) (stop func()) {
	t.Helper()
	b.last = 0 // each process counts anew
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(250 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				b.read(t, p)
			case <-ctx.Done():
				return
			}
		}
	})
	return sync.OnceFunc(func() { cancel(); wg.Wait(); b.read(t, p) })
}

func (b *book) read(t *testing.T, p *holdfast.Process) {
	var answer struct {
		Events []happened `json:"events"`
	}
	if err := p.API(fmt.Sprintf("/api/v1/events?since=%d", b.last), &answer); err != nil {
		t.Errorf("read the events: %v", err)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range answer.Events {
		if h.Seq != b.last+1 {
			t.Errorf("event %d follows %d: the ledger has a gap", h.Seq, b.last)
		}
		b.last = h.Seq
		b.all = append(b.all, h)
	}
}

func (b *book) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.all)
}

// missing returns what the store does not have of the ledger, and what it has
// more often than it happened.
func (b *book) missing(t *testing.T, s store.Store) (missing, twice []string) {
	t.Helper()
	events, recoveries := stored(t, s)
	told := map[string]int{}
	for _, h := range b.all {
		told[h.String()]++
		if h.Kind == "recovery" {
			told[recovery(h.At, h.Function)]++
		}
	}
	for k, n := range told {
		have := events[k] + recoveries[k]
		if have < n {
			missing = append(missing, k)
		}
		if have > n {
			twice = append(twice, k)
		}
	}
	return missing, twice
}

func recovery(at time.Time, function string) string {
	return at.UTC().Truncate(time.Microsecond).Format("15:04:05.000000") + " scaling action: recovery of " + function
}

// stored counts what the store has.
func stored(t *testing.T, s store.Store) (events, recoveries map[string]int) {
	t.Helper()
	events, recoveries = map[string]int{}, map[string]int{}
	const page = 1000
	for before := uuid.Nil; ; {
		list, err := s.Events(t.Context(), store.Query{Limit: page, Before: before})
		must(t, err)
		for _, e := range list {
			events[happened{At: e.At, Kind: e.Kind, Function: e.Function, Instance: e.Instance, From: e.From, To: e.To}.String()]++
			before = e.ID
		}
		if len(list) < page {
			break
		}
	}
	for before := uuid.Nil; ; {
		list, err := s.ScalingActions(t.Context(), store.Query{Limit: page, Before: before})
		must(t, err)
		for _, a := range list {
			if a.Action == "recovery" {
				recoveries[recovery(a.CreatedAt, a.Function)]++
			}
			before = a.ID
		}
		if len(list) < page {
			return events, recoveries
		}
	}
}
