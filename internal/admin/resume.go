package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/store"
)

// How far back a stream can be gone on with from the store.
const (
	resumeEvents = 10_000 // looked at, those of other nodes included
	resumeAge    = 24 * time.Hour
	resumePage   = 1000
	settleWait   = 3 * time.Second // for facts of the last run that are on their way
	settleStep   = 50 * time.Millisecond
	disorder     = time.Second // between the numbers of events and their times
)

// place is where an event stands: in the stream of one process, at a number.
type place struct {
	Run string `json:"run"`
	Seq uint64 `json:"seq"`
}

// compare orders places by process, then by number. Times would not do: two
// events may have the same one. Names of runs grow with time.
func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(len(p.Run), len(q.Run)), cmp.Compare(p.Run, q.Run), cmp.Compare(p.Seq, q.Seq))
}

func (p place) after(q place) bool { return p.compare(q) > 0 }

// placeOf reads the id of an event.
func placeOf(id string) (p place, ok bool) {
	run, seq, ok := strings.Cut(id, "-")
	n, err := strconv.ParseUint(seq, 10, 64)
	return place{run, n}, ok && run != "" && err == nil
}

// resume sends what the client has missed and only the store has. Where it
// cannot tell how much that is, it sends a gap.
func (f *follower) resume(ctx context.Context) error {
	if f.in.LastEvent == "" {
		return nil
	}
	f.last, f.strict = 0, true
	from, ok := placeOf(f.in.LastEvent)
	bus := f.server.config.Events
	kept := bus.Since(0)
	current := ok && from.Run == bus.Run()
	switch {
	case current && (len(kept) == 0 || from.Seq > kept[len(kept)-1].Seq):
		ok = false // an id that was never given
	case current && from.Seq+1 >= kept[0].Seq:
		f.last = from.Seq
		return nil
	}
	var missed []event.Event
	if ok {
		missed, ok = f.server.stored(ctx, from, current)
	}
	if !ok {
		f.strict = false // what is missing is told here
		var b strings.Builder
		writeGap(&b, 0)
		return f.write(b.String())
	}
	return f.replay(from, missed)
}

// replay sends events of the store, oldest first. Numbers that are missing
// among them were lost with a process.
func (f *follower) replay(from place, missed []event.Event) error {
	var b strings.Builder
	for i := range missed {
		e := &missed[i]
		expected := uint64(1) // a new process counts from 1
		if e.Run == from.Run {
			expected = from.Seq + 1
		}
		if e.Seq > expected {
			writeGap(&b, e.Seq-expected)
		}
		if err := f.add(&b, e); err != nil {
			return err
		}
		from = place{e.Run, e.Seq}
	}
	if from.Run == f.server.config.Events.Run() {
		f.last = from.Seq
	}
	return f.write(b.String())
}

// stored reads what happened after an event, oldest first. False: it is too
// long ago, or the store does not know it.
func (s *Server) stored(ctx context.Context, from place, current bool) ([]event.Event, bool) {
	if s.config.Store == nil {
		return nil, false
	}
	if !current {
		s.settle(ctx)
	}
	list, last := []event.Event{}, time.Time{} // no event before last is looked for
	q := store.Query{From: time.Now().Add(-resumeAge), Limit: resumePage}
	for range resumeEvents / resumePage {
		page, err := s.config.Store.Events(ctx, q)
		if err != nil {
			return nil, false
		}
		for i := range page {
			e := &page[i]
			at, ok := s.placeIn(e)
			if ok && at == from {
				last = e.At.Add(-disorder)
			}
			if ok && at.after(from) {
				list = append(list, eventOf(e, at))
			}
		}
		if len(page) < resumePage || page[len(page)-1].At.Before(last) {
			slices.SortFunc(list, func(a, b event.Event) int { return place{a.Run, a.Seq}.compare(place{b.Run, b.Seq}) })
			return list, !last.IsZero()
		}
		q.Before = page[len(page)-1].ID
	}
	return nil, false
}

// placeIn is the place of a row that is of this node's stream.
func (s *Server) placeIn(e *store.Event) (at place, ok bool) {
	return at, e.Node == s.config.Node && json.Unmarshal(e.Data, &at) == nil && at.Run != ""
}

func eventOf(e *store.Event, at place) event.Event {
	return event.Event{
		Run: at.Run, Seq: at.Seq, At: e.At, Kind: event.Kind(e.Kind), Function: e.Function, Instance: e.Instance,
		From: e.From, To: e.To, Source: e.Source, Reason: e.Reason, Numbers: numbersOf(e),
	}
}

func numbersOf(e *store.Event) map[string]float64 {
	var data struct {
		Numbers map[string]float64 `json:"numbers"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return nil // written by another version
	}
	return data.Numbers
}

// settle waits until what a process before this one left on the disk is in the
// store, but not for long.
func (s *Server) settle(ctx context.Context) {
	if s.config.StoreHealth == nil {
		return
	}
	limit := time.NewTimer(settleWait)
	defer limit.Stop()
	ticker := time.NewTicker(settleStep)
	defer ticker.Stop()
	for {
		if h := s.config.StoreHealth(); h.Queued+h.Spooled == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
