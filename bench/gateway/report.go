//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// results are the measurements by proxy and round.
type results [][]measurement

// reference is what the others are compared with.
const reference = "haproxy"

func (r results) write(out io.Writer, p *plan) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROXY\tCPU US/REQUEST\tX HAPROXY\tREQUESTS/S\tP50\tP99")
	at := slices.Index(p.proxies, reference)
	for i, name := range p.proxies {
		ratio := "-"
		if at >= 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio(i, at))
		}
		fmt.Fprintf(w, "%s\t%.2f\t%s\t%.0f\t%v\t%v\n", name,
			median(r[i], func(m measurement) float64 { return m.cpu }), ratio,
			median(r[i], func(m measurement) float64 { return m.rate }),
			median(r[i], func(m measurement) time.Duration { return m.p50 }),
			median(r[i], func(m measurement) time.Duration { return m.p99 }))
	}
	return w.Flush()
}

// ratio is the median of the rounds' ratios: what was measured in one round
// is compared within it.
func (r results) ratio(i, to int) float64 {
	rounds := make([]float64, len(r[i]))
	for k := range rounds {
		rounds[k] = r[i][k].cpu / r[to][k].cpu
	}
	return median(rounds, func(v float64) float64 { return v })
}

// median returns the middle of what of returns, the higher of two.
func median[T any, V cmp.Ordered](list []T, of func(T) V) V {
	values := make([]V, len(list))
	for i, v := range list {
		values[i] = of(v)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
