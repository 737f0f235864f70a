package exchange

import "sync/atomic"

// paged is a fixed number of slots whose memory comes a page at a time, when
// the first slot of the page is used: an idle gateway does not pay for records
// it has not made, nor does the garbage collector count them.
type paged[T any] struct {
	size  int
	pages []atomic.Pointer[[pageSlots]T]
}

const pageSlots = 128

func newPaged[T any](size int) paged[T] {
	return paged[T]{size, make([]atomic.Pointer[[pageSlots]T], (size+pageSlots-1)/pageSlots)}
}

// at returns slot n modulo the size.
func (p *paged[T]) at(n uint64) *T {
	i := int(n % uint64(p.size))
	page := p.pages[i/pageSlots].Load()
	if page == nil {
		page = p.grow(i / pageSlots)
	}
	return &page[i%pageSlots]
}

// grow makes a page; of two that race for it, one wins.
func (p *paged[T]) grow(n int) *[pageSlots]T {
	p.pages[n].CompareAndSwap(nil, new([pageSlots]T))
	return p.pages[n].Load()
}
