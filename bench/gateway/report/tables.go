package report

import (
	"fmt"
	"strings"
)

// section is a table with what must be known to read it.
type section struct {
	title, note string
	table       table
}

// title says what the rows of a case are called.
func title(name string) string {
	switch name {
	case Get:
		return "GET 512 B"
	case Get10K:
		return "GET 10 KiB"
	case Get1M:
		return "GET 1 MiB"
	case Post10K:
		return "POST 10 KiB"
	case TLS:
		return "GET 512 B, TLS"
	case Connect:
		return "new connection"
	case WebSocket:
		return "WebSocket echo"
	case Steady:
		return "GET 512 B"
	default:
		return name
	}
}

// requestCases are those that are compared by CPU time per request.
func requestCases() []string { return []string{Get, Get10K, Get1M, Post10K, TLS, Connect, WebSocket} }

// proxies returns those that have a result in a case, in the order measured.
func (r *Run) proxies(names ...string) []string {
	var list []string
	seen := map[string]bool{}
	for _, result := range r.Results {
		for _, name := range names {
			if result.Case == name && result.Proxy != Direct && result.Proxy != Relay && !seen[result.Proxy] {
				seen[result.Proxy] = true
				list = append(list, result.Proxy)
			}
		}
	}
	return list
}

// has says whether a case was measured.
func (r *Run) has(name string) bool { return len(r.proxies(name)) > 0 }

// sections are all tables that the run has something for.
func (r *Run) sections() []section {
	var list []section
	for _, s := range []section{
		{"Asked and reached", "Slope: CPU us per request by tenfold. ?: rounds disagree.", r.goals()},
		{"CPU time per request", "HAProxy in us, the others as multiples of it.", r.costs()},
		{"Memory, MiB", "Proportional set size of all processes of a proxy.", r.memories()},
		{"Growth", "CPU us per request at each size, and the slope per tenfold.", r.growth()},
		{"At 100 requests/s, us", "Median and what is added. The relay only copies bytes.", r.additions()},
		{"At 70 % of HAProxy's rate", "Latency in ms, from when it was to be sent.", r.details(Steady)},
		{"In full", "Latency in ms, of closed loops.", r.details(requestCases()...)},
	} {
		if len(s.table.rows) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// costs has a row per case: the reference's CPU time, the others' ratio to it.
func (r *Run) costs() table {
	proxies := r.proxies(requestCases()...)
	t := table{names: 1, head: append([]string{"case"}, proxies...)}
	for _, name := range requestCases() {
		if !r.has(name) {
			continue
		}
		row := []string{title(name)}
		for _, proxy := range proxies {
			row = append(row, r.cost(name, proxy))
		}
		t.add(row...)
	}
	return t
}

func (r *Run) cost(name, proxy string) string {
	result, reference := r.Find(name, 0, proxy), r.Find(name, 0, Reference)
	if ratio, ok := Ratio(result, reference, cpu); ok && proxy != Reference {
		return fmt.Sprintf("%.2fx", ratio.Mid)
	}
	return cell(result, cpu, 1)
}

// cell is the median of a figure, with digits after the point.
func cell(result *Result, figure func(Sample) float64, digits int) string {
	s, ok := result.Of(figure)
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, s.Mid)
}

// details has a row per case and proxy.
func (r *Run) details(names ...string) table {
	t := table{names: 2, head: []string{"case", "proxy", "us/req", "range", "req/s", "p50", "p99", "p99.9"}}
	for _, name := range names {
		for _, proxy := range r.proxies(name) {
			result := r.Find(name, 0, proxy)
			s, ok := result.Of(cpu)
			if !ok {
				continue
			}
			t.add(title(name), proxy, fmt.Sprintf("%.1f", s.Mid), fmt.Sprintf("%.1f..%.1f", s.Low, s.High), cell(result, rate, 0),
				ms(result, p50), ms(result, p99), ms(result, p999))
		}
	}
	return t
}

// ms is the median of a latency in ms, with three digits.
func ms(result *Result, figure func(Sample) float64) string {
	s, ok := result.Of(figure)
	if !ok {
		return "-"
	}
	v := s.Mid / 1e3
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

func (r *Run) additions() table {
	t := table{names: 1, head: []string{"proxy", "p50", "added", "least..greatest", "p99", "p99.9"}}
	direct := r.Find(Added, 0, Direct)
	for _, proxy := range append([]string{Direct, Relay}, r.proxies(Added)...) {
		result := r.Find(Added, 0, proxy)
		if _, ok := result.Of(p50); !ok {
			continue
		}
		more, limits := "-", "-"
		if s, ok := Difference(result, direct, p50); ok && proxy != Direct {
			more, limits = fmt.Sprintf("%.0f", s.Mid), fmt.Sprintf("%.0f .. %.0f", s.Low, s.High)
		}
		t.add(proxy, cell(result, p50, 0), more, limits, cell(result, p99, 0), cell(result, p999, 0))
	}
	return t
}

func (r *Run) memories() table {
	t := table{names: 1, head: append([]string{"connections"}, r.proxies(Idle, Busy)...)}
	for _, row := range []struct{ name, title string }{{Idle, "10,000 idle"}, {Busy, "1,000 busy"}} {
		if !r.has(row.name) {
			continue
		}
		cells := []string{row.title}
		for _, proxy := range r.proxies(Idle, Busy) {
			cells = append(cells, cell(r.Find(row.name, 0, proxy), memory, 1))
		}
		t.add(cells...)
	}
	return t
}

// growth has a row per growing case and proxy; the sizes differ by case, so
// they stand in the cells.
func (r *Run) growth() table {
	t := table{names: 3, head: []string{"what grows", "proxy", "us/request at each size", "slope", "ratio"}}
	for _, name := range []string{Instances, Functions, Connections} {
		for _, proxy := range r.proxies(name) {
			var sizes []string
			for _, point := range r.Points(name) {
				sizes = append(sizes, fmt.Sprintf("%d:%s", point, cell(r.Find(name, point, proxy), cpu, 1)))
			}
			slope, ratio := "-", "-"
			if s, ok := r.Slope(name, proxy); ok {
				slope = fmt.Sprintf("%.1f", s.Mid)
			}
			if s, ok := r.SlopeRatio(name); ok && proxy == Ours {
				ratio = fmt.Sprintf("%.2fx", s.Mid)
			}
			t.add(name, proxy, strings.Join(sizes, " "), slope, ratio)
		}
	}
	return t
}
