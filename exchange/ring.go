package exchange

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Ring keeps records in a fixed amount of memory: the last exchanges, and on a
// shelf of their own as many of those worth a look (failed, slow, with more than
// one attempt), which the many good ones do not push out. What no route matched
// is not worth a look: scanners would drive out the rest. Nothing is allocated
// per record, only room for slots until all have been used, and for the attempts
// after the first. Safe for concurrent use.
type Ring struct {
	seq   atomic.Uint64
	plain shelf
	marks shelf
}

// shelf keeps the last records put on it.
type shelf struct {
	put   atomic.Uint64
	slots paged[slot]
}

type slot struct {
	mu sync.Mutex
	Facts
	first AttemptRecord
	more  []AttemptRecord // the attempts after the first, nil when there was none
}

const defaultRecords = 10_000

func newRing(n int) *Ring {
	if n <= 0 {
		n = defaultRecords
	}
	r := &Ring{}
	r.plain.slots, r.marks.slots = newPaged[slot](n), newPaged[slot](n)
	return r
}

// keep numbers a record and copies it.
func (r *Ring) keep(rec *Record) {
	rec.Seq = r.seq.Add(1)
	for i := range rec.Attempts[:rec.N] {
		rec.Attempts[i].Pick.Detach()
	}
	if rec.Function != nil && (rec.N > 1 || rec.Failed() || rec.Slow()) {
		r.marks.next().set(rec)
		return
	}
	r.plain.next().set(rec)
}

func (s *shelf) next() *slot { return s.slots.at(s.put.Add(1)) }

// set copies a record. A writer that was overtaken by a whole round leaves the
// slot alone.
func (s *slot) set(rec *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Seq > rec.Seq {
		return
	}
	s.Facts = rec.Facts
	s.first = rec.Attempts[0]
	if rec.N <= 1 {
		s.more = nil // else every slot would in time have room for the most attempts
		return
	}
	clear(s.more) // they would keep instances that are long gone
	s.more = append(s.more[:0], rec.Attempts[1:rec.N]...)
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
	list := append(r.plain.last(n, keep), r.marks.last(n, keep)...)
	slices.SortFunc(list, func(a, b Record) int { return cmp.Compare(b.Seq, a.Seq) })
	return list[:min(n, len(list))]
}

func (s *shelf) last(n int, keep func(*Facts) bool) []Record {
	var list []Record
	latest := s.put.Load()
	for k := range min(uint64(s.slots.size), latest) {
		if len(list) == n {
			break
		}
		list = s.slots.at(latest-k).appendTo(list, keep)
	}
	return list
}

func (s *slot) appendTo(list []Record, keep func(*Facts) bool) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Seq == 0 || !keep(&s.Facts) {
		return list
	}
	rec := Record{Facts: s.Facts}
	rec.Attempts[0] = s.first
	copy(rec.Attempts[1:], s.more)
	return append(list, rec)
}
