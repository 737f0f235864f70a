package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

const (
	foldRows   = 240              // minutes of a part folded at once: what is held in memory
	foldChunks = 100              // chunks of one transaction
	settle     = 10 * time.Minute // younger minutes may still be on their way
	lookEvery  = 10 * time.Minute
)

// Run folds minutes into chunks and removes what is older than the retention, until ctx ends; it returns nil then.
func (h *History) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Minute) // not in the first busy moments
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-timer.C:
			if err := h.maintain(ctx, now); err != nil && ctx.Err() == nil {
				h.cfg.OnError(err)
			}
			timer.Reset(lookEvery)
		}
	}
}

// maintain folds once some minute is old enough, and drops days.
func (h *History) maintain(ctx context.Context, now time.Time) error {
	old, err := h.cfg.Store.FreshMinutes(ctx, -1, 0, minuteOf(now.Add(-h.cfg.FoldEvery)), 1)
	if err != nil {
		return fmt.Errorf("look for minutes to fold: %w", err)
	}
	if len(old) > 0 {
		if err := h.Fold(ctx, now); err != nil {
			return err
		}
	}
	if _, err := h.cfg.Store.DropHistory(ctx, dayOf(minuteOf(now.Add(-h.cfg.Retention)))); err != nil {
		return fmt.Errorf("drop old history: %w", err)
	}
	return nil
}

// Fold compresses all minutes that are older than ten minutes at now. Run does it by itself.
func (h *History) Fold(ctx context.Context, now time.Time) error {
	f := folder{h: h, before: minuteOf(now.Add(-settle))}
	for part := range parts {
		if err := f.part(ctx, part); err != nil {
			return fmt.Errorf("fold history: %w", err)
		}
	}
	return nil
}

// folder is one fold.
type folder struct {
	h      *History
	before int64
	enc    encoder
	dec    decoder
}

// place is where a chunk is.
type place struct {
	node, function string
	day            int64
}

func (f *folder) part(ctx context.Context, part int) error {
	conflicts := 0
	for {
		fresh, err := f.h.cfg.Store.FreshMinutes(ctx, part, 0, f.before, foldRows)
		if err != nil || len(fresh) == 0 {
			return err
		}
		err = f.some(ctx, fresh)
		switch {
		case errors.Is(err, store.ErrConflict) && conflicts < 5:
			conflicts++ // another node folds the same; what it left is read again
		case err != nil:
			return err
		case len(fresh) < foldRows:
			return nil
		}
	}
}

// some folds these minutes. The last transaction removes them; the ones before can be repeated.
func (f *folder) some(ctx context.Context, fresh []store.Minutes) error {
	added := f.sort(fresh)
	ids := make([]uuid.UUID, 0, len(fresh))
	for _, m := range fresh {
		ids = append(ids, m.ID)
	}
	places := slices.SortedFunc(maps.Keys(added), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.function, b.function), cmp.Compare(a.node, b.node), cmp.Compare(a.day, b.day))
	})
	for some := range slices.Chunk(places, foldChunks) {
		chunks, err := f.merge(ctx, some, added)
		if err != nil {
			return err
		}
		var remove []uuid.UUID
		if some[len(some)-1] == places[len(places)-1] {
			remove = ids
		}
		if err := f.h.cfg.Store.Fold(ctx, chunks, remove); err != nil {
			return err
		}
	}
	if len(places) == 0 { // nothing could be read of them
		return f.h.cfg.Store.Fold(ctx, nil, ids)
	}
	return nil
}

// slot is a row and its minute of the day.
type slot struct {
	minute int64
	row    row
}

// sort takes the minutes apart by chunk, oldest first.
func (f *folder) sort(fresh []store.Minutes) map[place][]slot {
	added := map[place][]slot{}
	for _, m := range fresh {
		err := eachSample(m.Data, func(function, codes []byte) bool {
			at := place{m.Node, string(function), dayOf(m.Minute)}
			added[at] = append(added[at], slot{m.Minute - at.day*minutesPerDay, readCodes(codes)})
			return true
		})
		if err != nil {
			f.h.cfg.OnError(fmt.Errorf("fold minute %d of %s: %w", m.Minute, m.Node, err))
		}
	}
	return added
}

// merge returns the chunks at places with what is added to them.
func (f *folder) merge(ctx context.Context, places []place, added map[place][]slot) ([]store.Chunk, error) {
	stored, err := f.stored(ctx, places)
	if err != nil {
		return nil, err
	}
	chunks := make([]store.Chunk, 0, len(places))
	for _, at := range places {
		c := stored[at] // revision 0 when there is none
		day := f.open(c)
		for _, s := range added[at] {
			day[s.minute] = s.row
		}
		c.Node, c.Function, c.Day = at.node, at.function, at.day
		if c.Data = f.enc.encode(day); c.Data != nil {
			chunks = append(chunks, c)
		}
	}
	return chunks, nil
}

// stored reads the chunks that are at places.
func (f *folder) stored(ctx context.Context, places []place) (map[place]store.Chunk, error) {
	var functions []string
	first, last := places[0].day, places[0].day
	for _, p := range places {
		functions = append(functions, p.function)
		first, last = min(first, p.day), max(last, p.day)
	}
	slices.Sort(functions)
	chunks, err := f.h.cfg.Store.Chunks(ctx, slices.Compact(functions), first, last)
	if err != nil {
		return nil, err
	}
	all := make(map[place]store.Chunk, len(chunks))
	for _, c := range chunks {
		all[place{c.Node, c.Function, c.Day}] = c
	}
	return all, nil
}

// open decodes a chunk; one that is damaged begins anew, there is nothing left to keep.
func (f *folder) open(c store.Chunk) *dayRows {
	if c.Revision == 0 {
		return &dayRows{}
	}
	day, err := f.dec.decode(c.Data)
	if err != nil {
		f.h.cfg.OnError(fmt.Errorf("fold %s, day %d: %w", c.Function, c.Day, err))
		return &dayRows{}
	}
	return day
}
