package exchange

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Ring keeps records in a fixed amount of memory: the last exchanges with
// their first attempt, and besides them in full those worth a look: failed,
// slow, or with more than one attempt. Nothing is allocated per record. Safe
// for concurrent use.
type Ring struct {
	recent []recentSlot
	kept   []keptSlot
	nextR  atomic.Uint64
	nextK  atomic.Uint64
}

type recentSlot struct {
	mu sync.Mutex
	Facts
	first AttemptRecord
}

type keptSlot struct {
	mu sync.Mutex
	Record
}

const defaultRecords = 10_000

func newRing(n int) *Ring {
	if n <= 0 {
		n = defaultRecords
	}
	return &Ring{recent: make([]recentSlot, n), kept: make([]keptSlot, max(n*2/5, 16))}
}

func (r *Ring) keep(rec *Record) {
	if rec.N > 1 || rec.Failed() || rec.Slow() {
		slot := &r.kept[(r.nextK.Add(1)-1)%uint64(len(r.kept))]
		slot.mu.Lock()
		slot.Facts = rec.Facts
		copy(slot.Attempts[:], rec.Attempts[:rec.N])
		for i := range slot.Attempts[:rec.N] {
			slot.Attempts[i].Pick.Tried = nil // it is the exchange's memory
		}
		slot.mu.Unlock()
	}
	slot := &r.recent[(r.nextR.Add(1)-1)%uint64(len(r.recent))]
	slot.mu.Lock()
	slot.Facts, slot.first = rec.Facts, rec.Attempts[0]
	slot.first.Pick.Tried = nil
	slot.mu.Unlock()
}

// Find returns the record of a request id.
func (r *Ring) Find(id string) (Record, bool) {
	var want Text64
	want.set(id)
	for rec := range r.all(func(f *Facts) bool { return f.ID == want }) {
		return rec, true
	}
	return Record{}, false
}

// Last returns up to n records that pass keep, the latest first.
func (r *Ring) Last(n int, keep func(*Facts) bool) []Record {
	var list []Record
	seen := map[Text64]bool{}
	for rec := range r.all(keep) {
		if !seen[rec.ID] {
			seen[rec.ID] = true
			list = append(list, rec)
		}
	}
	slices.SortFunc(list, func(a, b Record) int { return cmp.Compare(b.Start.UnixNano(), a.Start.UnixNano()) })
	return list[:min(n, len(list))]
}

// all yields the records kept in full first.
func (r *Ring) all(keep func(*Facts) bool) func(func(Record) bool) {
	return func(yield func(Record) bool) {
		for i := range r.kept {
			if rec, ok := r.kept[i].copy(keep); ok && !yield(rec) {
				return
			}
		}
		for i := range r.recent {
			if rec, ok := r.recent[i].copy(keep); ok && !yield(rec) {
				return
			}
		}
	}
}

func (s *keptSlot) copy(keep func(*Facts) bool) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Start.IsZero() || !keep(&s.Facts) {
		return Record{}, false
	}
	rec := s.Record
	clear(rec.Attempts[rec.N:]) // of an earlier record in this place
	return rec, true
}

func (s *recentSlot) copy(keep func(*Facts) bool) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Start.IsZero() || !keep(&s.Facts) {
		return Record{}, false
	}
	rec := Record{Facts: s.Facts}
	rec.Attempts[0] = s.first
	return rec, true
}
