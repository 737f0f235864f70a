package report

import "fmt"

// goal is something that issue 4 asks of Holdfast.
type goal struct {
	what  string
	name  string // of the case
	limit float64
	unit  string
	of    func(r *Run) (Spread, bool)
}

// goals lists them in the order of the issue. A figure up to its limit meets it.
func goals() []goal {
	return []goal{
		times("small GET, CPU by HAProxy's", 1, Get, cpu),
		{"small GET, CPU by Caddy's", Get, 0.2, "x", func(r *Run) (Spread, bool) {
			return Ratio(r.Find(Get, 0, Ours), r.Find(Get, 0, "caddy"), cpu)
		}},
		times("TLS, CPU by HAProxy's", 1.3, TLS, cpu),
		times("1 MiB answers, CPU by HAProxy's", 1.2, Get1M, cpu),
		times("p99 at 70 % of HAProxy's rate", 1.2, Steady, p99),
		{"10,000 idle connections", Idle, 60, "MiB", func(r *Run) (Spread, bool) {
			return r.Find(Idle, 0, Ours).Of(memory)
		}},
		{"median latency added at 100/s", Added, 60, "us", func(r *Run) (Spread, bool) {
			return Difference(r.Find(Added, 0, Ours), r.Find(Added, 0, Direct), p50)
		}},
		steeper("slope, instances, less HAProxy's", Instances),
		steeper("slope, functions, less HAProxy's", Functions),
		steeper("slope, connections, less HAProxy's", Connections),
	}
}

func times(what string, limit float64, name string, figure func(Sample) float64) goal {
	return goal{what: what, name: name, limit: limit, unit: "x", of: func(r *Run) (Spread, bool) {
		return Ratio(r.Find(name, 0, Ours), r.Find(name, 0, Reference), figure)
	}}
}

func steeper(what, name string) goal {
	return goal{what: what, name: name, limit: 0, unit: "us", of: func(r *Run) (Spread, bool) { return r.slopeExcess(name) }}
}

// goals as a table: goal, limit, measured, range and verdict. Those of cases that
// the run does not have are left out.
func (r *Run) goals() table {
	t := table{names: 1, head: []string{"asked of Holdfast", "at most", "measured", "range", ""}}
	for _, g := range goals() {
		if !r.has(g.name) {
			continue
		}
		s, ok := g.of(r)
		if !ok {
			t.add(g.what, g.amount(g.limit), "-", "-", "missing")
			continue
		}
		t.add(g.what, g.amount(g.limit), g.amount(s.Mid), fmt.Sprintf("%.*f..%.*f", g.digits(), s.Low, g.digits(), s.High), g.verdict(s))
	}
	return t
}

// verdict goes by the median. It is in doubt when the rounds disagree.
func (g goal) verdict(s Spread) string {
	verdict := "missed"
	if s.Mid <= g.limit {
		verdict = "met"
	}
	if s.Low <= g.limit && g.limit < s.High {
		verdict += "?"
	}
	return verdict
}

func (g goal) digits() int {
	if g.unit == "x" {
		return 2
	}
	return 1
}

func (g goal) amount(v float64) string {
	if g.unit == "x" {
		return fmt.Sprintf("%.2fx", v)
	}
	return fmt.Sprintf("%.1f %s", v, g.unit)
}
