package exchange

import "testing"

// The writer that lost the race for a slot by a whole round must not bring an
// old record back.
func TestAWriterThatWasOvertakenLeavesTheSlotAlone(t *testing.T) {
	t.Parallel()
	var s slot
	set := func(seq uint64, id string) {
		rec := Record{Facts: Facts{Seq: seq}}
		rec.ID.set(id)
		s.set(&rec)
	}
	set(5, "new")
	set(1, "old")
	if got := s.ID.String(); got != "new" {
		t.Errorf("the slot has %q", got)
	}
}

func TestASlotKeepsNoRoomForAttemptsThatItsRecordDoesNotHave(t *testing.T) {
	t.Parallel()
	var s slot
	for seq, attempts := range []uint8{maxAttempts, 1, 2} {
		rec := Record{Facts: Facts{Seq: uint64(seq) + 1, N: attempts}}
		if s.set(&rec); cap(s.more) > 2*(int(attempts)-1) {
			t.Errorf("room for %d attempts after the first of %d", cap(s.more), attempts)
		}
	}
}
