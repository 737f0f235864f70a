package exchange

import "testing"

// The writer that lost the race for a slot by a whole round must not bring an
// old record back.
func TestAWriterThatWasOvertakenLeavesTheSlotAlone(t *testing.T) {
	t.Parallel()
	r := newRing(4)
	store := func(seq uint64, id string) {
		rec := Record{Facts: Facts{Seq: seq, Function: &Function{}, Local: true}}
		rec.ID.set(id)
		r.seq.Store(max(r.seq.Load(), seq))
		r.store(&rec)
	}
	store(5, "new")
	store(1, "old")
	if n := len(r.Last(10, func(f *Facts) bool { return f.ID.String() == "old" && r.recent.at(1).Seq == f.Seq })); n != 0 {
		t.Error("the old record replaced the new one")
	}
	r.full.at(3).Seq = 9
	r.fulls.Store(2)
	store(6, "late")
	if r.full.at(3).Seq != 9 {
		t.Error("the old full record replaced the new one")
	}
}
