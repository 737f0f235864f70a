package runs

import (
	"slices"
	"sync"
	"time"
)

// mostMoments is how many are kept of a run: more than an hour of seconds.
const mostMoments = 4000

// Line is the moments of a run. Safe for concurrent use.
type Line struct {
	mu     sync.Mutex
	seq    uint64
	list   []Moment // the last ones, oldest first
	latest *Second
	faults []string // that have begun and not ended
	over   bool     // nothing will be added
	wake   map[chan struct{}]struct{}
}

// lineOf goes on where one that was kept ended.
func lineOf(list []Moment) *Line {
	l := &Line{list: list}
	for i := range list {
		l.seq = list[i].Seq
		l.note(&list[i])
	}
	return l
}

// note keeps what is so now. Requires l.mu.
func (l *Line) note(m *Moment) {
	switch m.Kind {
	case Figures:
		l.latest = m.Second
	case FaultOn:
		l.faults = append(l.faults, m.Text)
	case FaultOff:
		if i := slices.Index(l.faults, m.Text); i >= 0 {
			l.faults = slices.Delete(l.faults, i, i+1)
		}
	}
}

// add numbers a moment and tells those who follow.
func (l *Line) add(m Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	m.Seq = l.seq
	if len(l.list) == mostMoments {
		l.list = slices.Delete(l.list, 0, mostMoments/10)
	}
	l.list = append(l.list, m)
	l.note(&m)
	l.tell()
}

// goOn adds what was kept since of the same run.
func (l *Line) goOn(list []Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range list {
		if m.Seq > l.seq {
			l.list, l.seq = append(l.list, m), m.Seq
			l.note(&m)
		}
	}
	l.tell()
}

// end says that nothing will be added.
func (l *Line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.tell()
}

func (l *Line) tell() {
	for c := range l.wake {
		select {
		case c <- struct{}{}:
		default: // it has not looked since the last time
		}
	}
}

// reverted ends the faults that are open: they were taken back by somebody
// else than who began them.
func (l *Line) reverted(now time.Time) {
	l.mu.Lock()
	open := slices.Clone(l.faults)
	l.mu.Unlock()
	for _, what := range open {
		l.add(Moment{At: now, Kind: FaultOff, Text: what})
	}
}

// Since returns the moments after seq, and how many of them are not kept.
func (l *Line) Since(seq uint64) (list []Moment, missed uint64, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return after(l.list, seq, l.seq), lacking(l.list, seq), l.over
}

// after is what of a list comes after a number. One that was never given
// counts as none.
func after(list []Moment, seq, last uint64) []Moment {
	if seq > last {
		seq = 0
	}
	i, _ := slices.BinarySearchFunc(list, seq+1, func(m Moment, n uint64) int { return int(int64(m.Seq) - int64(n)) }) //nolint:gosec // far from the ends
	return slices.Clone(list[i:])
}

func lacking(list []Moment, seq uint64) uint64 {
	if len(list) == 0 || list[0].Seq <= seq+1 {
		return 0
	}
	return list[0].Seq - seq - 1
}

// Subscribe returns a channel that has something in it when there is more
// than when it was last read.
func (l *Line) Subscribe() (wake <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wake == nil {
		l.wake = map[chan struct{}]struct{}{}
	}
	l.wake[c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.wake, c)
	}
}

// now returns the last figures and the faults in force.
func (l *Line) now() (latest *Second, faults []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest, slices.Clone(l.faults)
}
