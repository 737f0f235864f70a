package http1

import "iter"

// Fields goes through the header lines in the order they came. Names are as they were sent; both are borrowed like all
// that a head returns.
func (h *head) Fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range h.fields {
			f := &h.fields[i]
			if !yield(lent(f.name.of(h.buf)), lent(f.value.of(h.buf))) {
				return
			}
		}
	}
}
