package channel

import "sync"

// deliveries are remembered, so that a second try goes to what the first one
// missed: more than one notification is made of.
const deliveries = 256

// delivered remembers what a receiver has taken of a notification that is sent in
// parts. The zero value has nothing. Safe for concurrent use.
type delivered struct {
	mu   sync.Mutex
	ids  [deliveries]string // the oldest at next
	next int
}

func (d *delivered) has(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, known := range d.ids {
		if known == id {
			return true
		}
	}
	return false
}

func (d *delivered) add(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ids[d.next] = id
	d.next = (d.next + 1) % deliveries
}
