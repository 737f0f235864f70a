package balancer

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
)

// tableSizes are primes, so that every step size visits all slots.
func tableSizes() []uint32 { return []uint32{4099, 16411, 65537, 262147, 1048583} }

// hashTable spreads slots over instances by weight so that a change of members
// moves few slots between those that stay (Maglev, Eisenbud et al., NSDI 2016).
// It depends on the members only, not on their status: when one fails its keys
// are hashed again, all others stay.
func hashTable(members []*Instance) []uint32 {
	size := tableSize(members)
	table := make([]uint32, size)
	taken := make([]bool, size)
	turns := newTurns(members, uint64(size))
	for range size {
		t := &turns[0]
		for taken[t.next] {
			t.next = (t.next + t.skip) % uint64(size)
		}
		table[t.next], taken[t.next] = t.member, true
		t.taken++
		turns.sink(0)
	}
	return table
}

// tableSize leaves the smallest share about fifty slots, within reason.
func tableSize(members []*Instance) uint32 {
	sum, least := 0, maxWeight
	for _, i := range members {
		sum += i.spec.Weight
		least = min(least, i.spec.Weight)
	}
	sizes := tableSizes()
	need := min(uint32(50*sum/max(least, 1)), sizes[3])
	need = max(need, uint32(100*len(members)))
	for _, size := range sizes {
		if size >= need {
			return size
		}
	}
	return sizes[len(sizes)-1]
}

// turn is a member waiting to take its next slot.
type turn struct {
	member     uint32
	weight     float64
	taken      float64
	next, skip uint64
	name       uint64
}

// turns is a heap by who is furthest behind its weight.
type turns []turn

func newTurns(members []*Instance, size uint64) turns {
	ts := make(turns, 0, len(members))
	for at, i := range members {
		name := hashName(i.spec.ID)
		ts = append(ts, turn{
			member: uint32(at), weight: float64(i.spec.Weight), name: name,
			next: mix(name, 1) % size, skip: 1 + mix(name, 2)%(size-1),
		})
	}
	slices.SortFunc(ts, turn.compare) // a sorted slice is a heap
	return ts
}

// compare breaks ties by name, so that the order of the list does not matter.
func (t turn) compare(other turn) int {
	return cmp.Or(
		cmp.Compare((t.taken+1)/t.weight, (other.taken+1)/other.weight),
		cmp.Compare(t.name, other.name),
	)
}

// sink restores the heap after the turn at k has moved back.
func (ts turns) sink(k int) {
	for {
		least := k
		for child := 2*k + 1; child <= 2*k+2 && child < len(ts); child++ {
			if ts[child].compare(ts[least]) < 0 {
				least = child
			}
		}
		if least == k {
			return
		}
		ts[k], ts[least] = ts[least], ts[k]
		k = least
	}
}

func hashName(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash never fails
	return h.Sum64()
}

// rehash is the slot of a key at the nth try.
func (s *pool) rehash(key, try uint64) int {
	slot := mix(key, try) % uint64(len(s.table))
	return int(s.seat[s.table[slot]])
}

// overloaded is the bound of ConsistentHash: the fair part of what is in
// flight, this attempt included, times the factor.
func (s *pool) overloaded(m *member, inflight int64) bool {
	c := s.cfg.HashBalanceFactor
	if c < 0 {
		return false
	}
	fair := float64(s.signals.inflight.Load()+1) * s.load * float64(m.weight) / s.sum
	return float64(inflight+1) > math.Ceil(c*fair)
}
