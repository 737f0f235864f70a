package balancer

import "time"

const windowBuckets = 10

// window counts results of the recent past in ten buckets that expire by
// themselves, each stamped with the time slice it belongs to.
type window struct {
	buckets [windowBuckets]bucket
}

type bucket struct {
	slice                uint32
	total, failed, slowd uint32
}

func sliceOf(now int64, span time.Duration) uint32 {
	return uint32(now / max(int64(span)/windowBuckets, 1))
}

func (w *window) add(now int64, span time.Duration, failed, slow bool) {
	slice := sliceOf(now, span)
	k := &w.buckets[slice%windowBuckets]
	if k.slice != slice {
		*k = bucket{slice: slice}
	}
	k.total++
	if failed {
		k.failed++
	}
	if slow {
		k.slowd++
	}
}

// sum returns the results of the last span: all, failed, slow.
func (w *window) sum(now int64, span time.Duration) (total, failed, slow int) {
	current := sliceOf(now, span)
	for _, k := range w.buckets {
		if current-k.slice < windowBuckets { // wraps around for the future: excluded
			total += int(k.total)
			failed += int(k.failed)
			slow += int(k.slowd)
		}
	}
	return total, failed, slow
}
