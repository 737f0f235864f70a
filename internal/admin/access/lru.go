package access

// lru is a map that forgets the entry unused for longest when it is full, so
// that strangers cannot make it grow. Not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit int
	items map[K]*node[K, V]
	ends  node[K, V] // ring: ends.next is the newest, ends.prev the oldest
}

type node[K comparable, V any] struct {
	prev, next *node[K, V]
	key        K
	value      V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	l := &lru[K, V]{limit: limit, items: map[K]*node[K, V]{}}
	l.ends.prev, l.ends.next = &l.ends, &l.ends
	return l
}

// get returns the value and makes it the newest; nil when there is none. The
// pointer is good until the entry is removed.
func (l *lru[K, V]) get(key K) *V {
	n := l.items[key]
	if n == nil {
		return nil
	}
	n.unlink()
	n.link(&l.ends)
	return &n.value
}

// add stores a value that is not there yet.
func (l *lru[K, V]) add(key K, value V) *V {
	for len(l.items) >= l.limit {
		l.remove(l.ends.prev.key)
	}
	n := &node[K, V]{key: key, value: value}
	l.items[key] = n
	n.link(&l.ends)
	return &n.value
}

func (l *lru[K, V]) remove(key K) {
	if n := l.items[key]; n != nil {
		n.unlink()
		delete(l.items, key)
	}
}

// fromOldest calls visit from the least recently used on, until it says stop.
// Visit may remove the entry it is given.
func (l *lru[K, V]) fromOldest(visit func(K, *V) bool) {
	for n := l.ends.prev; n != &l.ends; {
		before := n.prev
		if !visit(n.key, &n.value) {
			return
		}
		n = before
	}
}

func (n *node[K, V]) unlink() { n.prev.next, n.next.prev = n.next, n.prev }

func (n *node[K, V]) link(after *node[K, V]) {
	n.prev, n.next = after, after.next
	after.next.prev = n
	after.next = n
}
