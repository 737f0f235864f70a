package balancer

import "math/bits"

// aliasTable draws an index by weight in constant time (Vose's method).
type aliasTable []aliasCell

type aliasCell struct {
	keep  uint32 // draws up to this stay in the column
	other uint32 // the rest goes here
}

// newAliasTable needs at least one weight, all above zero.
func newAliasTable(weights []float64) aliasTable {
	n := len(weights)
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	table, scaled := make(aliasTable, n), make([]float64, n)
	var small, large []int
	for k, w := range weights {
		table[k] = aliasCell{keep: 1<<32 - 1, other: uint32(k)}
		scaled[k] = w * float64(n) / sum
		if scaled[k] < 1 {
			small = append(small, k)
		} else {
			large = append(large, k)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		table[s] = aliasCell{keep: uint32(scaled[s] * (1<<32 - 1)), other: uint32(l)}
		scaled[l] -= 1 - scaled[s]
		if scaled[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return table
}

// at maps 64 random bits to an index: the upper half is the column.
func (a aliasTable) at(draw uint64) int {
	column, _ := bits.Mul64(draw&^(1<<32-1), uint64(len(a)))
	c, k := a[column], uint32(column)
	if uint32(draw) > c.keep { // a conditional move: which one is unpredictable
		k = c.other
	}
	return int(k)
}

// mix makes independent random bits from one draw (SplitMix64).
func mix(draw, salt uint64) uint64 {
	z := draw + (salt+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit maps random bits to [0, 1).
func unit(draw uint64) float64 { return float64(draw>>11) / (1 << 53) }
