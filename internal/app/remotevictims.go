package app

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/platform"
)

// candidate is an instance of which it is asked whether it should go.
type candidate struct {
	id       string
	leaving  bool // out of rotation already
	serves   bool // it runs and its checks are good
	inFlight int
	since    time.Time
}

// victimsOf chooses which instances go: those that are on their way out of
// rotation anyway, those that do not serve, then those with the fewest
// exchanges, the newest first.
func victimsOf(list []candidate, n int) []string {
	list = slices.SortedFunc(slices.Values(list), func(a, b candidate) int {
		return cmp.Or(
			-compareBool(a.leaving, b.leaving), compareBool(a.serves, b.serves),
			cmp.Compare(a.inFlight, b.inFlight), b.since.Compare(a.since), cmp.Compare(a.id, b.id),
		)
	})
	ids := make([]string, 0, max(n, 0))
	for i := range list[:min(max(n, 0), len(list))] {
		ids = append(ids, list[i].id)
	}
	return ids
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// tooMany is how many instances have to go so that n are left. While a new
// version takes over there are more than were asked for, and after an order
// fewer: neither is the order's concern.
func tooMany(desired, present, n int) int { return max(min(desired, present)-n, 0) }

// staying says whether an instance counts: it is not on its way out.
func staying(i *platform.Instance) bool {
	return i.State != platform.Stopping && i.State != platform.Stopped
}
