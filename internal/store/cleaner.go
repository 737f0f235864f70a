package store

import (
	"cmp"
	"context"
	"time"
)

// Cleaner removes old rows once a day, as the command does on demand.
type Cleaner struct {
	Store     Keeper
	OlderThan time.Duration                   // 0 is DefaultRetention
	Every     time.Duration                   // 0 is a day
	OnDone    func(list []OldRows, err error) // told of each turn; may be nil
}

// Run cleans up every so often until ctx ends; it returns nil then. The first time is an hour after the start, when the
// busy time of a start is over. A turn that fails is tried again an hour later.
func (c Cleaner) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		list, err := c.Store.Cleanup(ctx, cmp.Or(c.OlderThan, DefaultRetention))
		if c.OnDone != nil && ctx.Err() == nil {
			c.OnDone(list, err)
		}
		if err != nil {
			timer.Reset(time.Hour)
			continue
		}
		timer.Reset(cmp.Or(c.Every, 24*time.Hour))
	}
}
