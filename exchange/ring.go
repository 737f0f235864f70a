package exchange

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Ring keeps records in a fixed amount of memory: the last exchanges with
// their first attempt, and besides them in full those worth a look: failed,
// slow, or with more than one attempt. What no route matched is not worth one:
// scanners would drive out the rest. Nothing is allocated per record, only a
// page of slots now and then until all are there. Safe for concurrent use.
type Ring struct {
	seq    atomic.Uint64
	fulls  atomic.Uint64
	recent paged[recentSlot]
	full   paged[fullSlot]
}

type recentSlot struct {
	mu sync.Mutex
	Facts
	first AttemptRecord
}

type fullSlot struct {
	mu sync.Mutex
	Record
}

const defaultRecords = 10_000

func newRing(n int) *Ring {
	if n <= 0 {
		n = defaultRecords
	}
	return &Ring{recent: newPaged[recentSlot](n), full: newPaged[fullSlot](max(n/5, 16))}
}

// keep numbers a record and copies it.
func (r *Ring) keep(rec *Record) {
	rec.Seq = r.seq.Add(1)
	for i := range rec.Attempts[:rec.N] {
		rec.Attempts[i].Pick.Detach()
	}
	r.store(rec)
}

// store copies a record. A writer that was overtaken by a whole round leaves the
// slot alone.
func (r *Ring) store(rec *Record) {
	if rec.Function != nil && (rec.N > 1 || rec.Failed() || rec.Slow()) {
		slot := r.full.at(r.fulls.Add(1))
		slot.mu.Lock()
		if slot.Seq < rec.Seq {
			clear(slot.Attempts[min(rec.N, slot.N):slot.N])
			slot.Facts = rec.Facts
			copy(slot.Attempts[:], rec.Attempts[:rec.N])
		}
		slot.mu.Unlock()
	}
	slot := r.recent.at(rec.Seq)
	slot.mu.Lock()
	if slot.Seq < rec.Seq {
		slot.Facts, slot.first = rec.Facts, rec.Attempts[0]
	}
	slot.mu.Unlock()
}

// Find returns the record of a request id, the latest where several have it.
func (r *Ring) Find(id string) (Record, bool) {
	var want Text64
	want.set(id)
	if found := r.Last(1, func(f *Facts) bool { return f.ID == want }); len(found) > 0 {
		return found[0], true
	}
	return Record{}, false
}

// Last returns up to n records that pass keep, the latest first; a nil keep
// passes all. It is called under a lock and must be quick.
func (r *Ring) Last(n int, keep func(*Facts) bool) []Record {
	if keep == nil {
		keep = func(*Facts) bool { return true }
	}
	var list []Record
	for k := range min(r.full.size, int(r.fulls.Load())) {
		if len(list) == n {
			break
		}
		list = r.full.at(r.fulls.Load()-uint64(k)).appendTo(list, keep)
	}
	kept := len(list)
	for k := range min(r.recent.size, int(r.seq.Load())) {
		if len(list) == kept+n {
			break
		}
		list = r.recent.at(r.seq.Load()-uint64(k)).appendTo(list, keep)
	}
	// Stable: of two with one number the full one is first and stays.
	slices.SortStableFunc(list, func(a, b Record) int { return cmp.Compare(b.Seq, a.Seq) })
	list = slices.CompactFunc(list, func(a, b Record) bool { return a.Seq == b.Seq })
	return list[:min(n, len(list))]
}

func (s *fullSlot) appendTo(list []Record, keep func(*Facts) bool) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Seq == 0 || !keep(&s.Facts) {
		return list
	}
	return append(list, s.Record)
}

func (s *recentSlot) appendTo(list []Record, keep func(*Facts) bool) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Seq == 0 || !keep(&s.Facts) {
		return list
	}
	rec := Record{Facts: s.Facts}
	rec.Attempts[0] = s.first
	return append(list, rec)
}
