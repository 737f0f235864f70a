package store

import "time"

// Condition says whether the store serves.
type Condition uint8

// The conditions.
const (
	Unknown Condition = iota // not asked yet
	Up
	Down
)

var conditionNames = [...]string{"unknown", "up", "down"}

// String returns unknown, up or down.
func (c Condition) String() string { return conditionNames[min(int(c), len(conditionNames)-1)] }

// Health is the state of the store and of what waits for it, at one moment.
type Health struct {
	Condition Condition
	Since     time.Time // of the condition
	Reason    string    // why it is down, with the way out; "" when up

	Queued       int           // facts in memory that are not in the spool yet
	Spooled      int           // facts in the spool
	SpoolBytes   int64         // on disk
	OnlyInMemory int           // of Spooled, those the disk refused
	SpoolReason  string        // why the disk refuses; "" when it does not
	States       int           // states that are not in the store yet
	Dropped      [Kinds]uint64 // facts lost because a bound was reached, by Kind, since the start
	Rejected     uint64        // facts and states the store refuses for good
	Damaged      uint64        // bytes of the spool that could not be read
	StatesLost   uint64        // states dropped because there were too many keys
	Delivered    [Kinds]uint64 // facts the store took, by Kind; one sent twice counts twice
}

// Lost returns the number of facts dropped, of all kinds.
func (h Health) Lost() (n uint64) {
	for _, d := range h.Dropped {
		n += d
	}
	return n
}

// NoticeKind says what a Notice is about.
type NoticeKind uint8

// The kinds.
const (
	StoreUp       NoticeKind = iota // the store serves, for the first time or again
	StoreDown                       // it does not
	FactsDropped                    // a bound was reached; Count facts are lost
	FactRejected                    // the store refuses a fact or state for good
	SpoolRefused                    // the local disk takes no records; they stay in memory
	SpoolAccepted                   // it takes them again
	SpoolDamaged                    // Count bytes of the spool could not be read
)

var noticeNames = [...]string{"store_up", "store_down", "facts_dropped", "fact_rejected", "spool_refused", "spool_accepted", "spool_damaged"}

// String returns the name as used in events.
func (k NoticeKind) String() string { return noticeNames[min(int(k), len(noticeNames)-1)] }

// Notice is something that happened to the Outbox. Kinds that could come often come at most once a second.
type Notice struct {
	At     time.Time
	Kind   NoticeKind
	Count  uint64
	Reason string
}
