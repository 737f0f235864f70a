package alerting

import (
	"maps"
	"path/filepath"
	"time"
)

// Past returns the minutes of a function before the start, oldest first. It may
// take as long as the store does; what it cannot know it leaves out.
type Past func(function string, from time.Time) []Minute

// budgets counts for all objectives.
type budgets struct {
	past   Past                  // nil: nothing is known from before the start
	before map[string]countsKept // what an earlier process has counted
	of     map[string]*budget
	zero   time.Time // of the first look
}

// steady is now by a clock that nobody sets, so that a minute stays one.
func (x *budgets) steady(now time.Time) time.Time {
	if x.zero.IsZero() {
		x.zero = now
	}
	return x.zero.Add(now.Sub(x.zero))
}

// recallsPerLook bounds how long a look may take right after a start.
const recallsPerLook = 4

func (x *budgets) judge(v *View, rules []*Rule) []Finding {
	var list []Finding
	seen := map[string]*budget{}
	recalls, at := 0, x.steady(v.At)
	for _, r := range rules {
		if r.Objective == nil || r.Off {
			continue
		}
		for i := range v.Functions {
			f := &v.Functions[i]
			if f.Count == nil || !r.concerns(f.Name) {
				continue
			}
			key := r.Name + " " + f.Name
			b := x.of[key]
			if b == nil && recalls == recallsPerLook {
				continue // its turn comes with the next look
			}
			if b == nil {
				recalls++
				b = x.begin(r, f.Name, key, at, v.At)
			}
			seen[key] = b
			all, bad := f.Count(r.Objective.Slow)
			b.count(at, all, bad)
			if finding, wrong := b.look(r, f.Name); wrong {
				list = append(list, finding)
			}
		}
	}
	x.of = seen
	return list
}

// begin makes a budget that knows what can be known from before: of one of
// availability history, else what this Holdfast has counted itself.
func (x *budgets) begin(r *Rule, function, key string, at, now time.Time) *budget {
	b := newBudget()
	b.slow = r.Objective.Slow
	if b.slow == 0 && x.past != nil {
		minutes := x.past(function, now.Add(-b.coarse.length()))
		for i := range minutes {
			minutes[i].At += at.Unix()/60 - now.Unix()/60
		}
		b.recall(minutes)
	}
	if k, ok := x.before[key]; ok && b.fine.last == 0 && k.Slow == b.slow {
		b.fine.restore(k.Fine, at)
		b.coarse.restore(k.Coarse, at)
	}
	delete(x.before, key)
	return b
}

// countsKept is a budget on disk.
type countsKept struct {
	Slow   time.Duration `json:"slow,omitempty"`
	Fine   stepsKept     `json:"fine"`
	Coarse stepsKept     `json:"coarse"`
}

// stepsKept are the steps of a ring, the oldest first.
type stepsKept struct {
	Last int64    `json:"last"`
	All  []uint64 `json:"all"`
	Bad  []uint64 `json:"bad"`
}

func (r *ring) keep() stepsKept {
	k := stepsKept{Last: r.last}
	for step := max(r.first, r.last-int64(len(r.sums))+2); step <= r.last && r.last > 0; step++ {
		end, start := *r.place(step), sum{}
		if step > r.first {
			start = *r.place(step - 1)
		}
		k.All, k.Bad = append(k.All, end.all-start.all), append(k.Bad, end.bad-start.bad)
	}
	return k
}

// restore takes over what was kept. Steps that lie ahead, which a clock that was
// wrong has made, end now.
func (r *ring) restore(k stepsKept, now time.Time) {
	n := min(len(k.All), len(k.Bad), len(r.sums)-1)
	all, bad := k.All[len(k.All)-n:], k.Bad[len(k.Bad)-n:]
	last := min(k.Last, now.Unix()/60/r.step)
	if last <= int64(n) {
		return // a date nobody has written
	}
	for i := range n {
		if all[i] >= bad[i] && all[i] < 1<<40 {
			r.add(Minute{At: (last - int64(n-1-i)) * r.step, All: all[i], Bad: bad[i]})
		}
	}
}

// budgetsEvery is how often the counts of objectives are kept: what a crash may
// lose of them.
const budgetsEvery = time.Minute

// keepBudgets writes down what was counted, unless that was done lately.
func (s *Service) keepBudgets(now time.Time, every time.Duration) {
	if now.Sub(s.budgetsKept) < every || len(s.budgets.of) == 0 || s.lock == nil {
		return
	}
	s.budgetsKept = now
	if now.Sub(s.budgets.zero) > 10*time.Minute {
		s.budgets.before = nil // of rules that are gone
	}
	counts := map[string]countsKept{}
	maps.Copy(counts, s.budgets.before) // whose turn has not come
	for key, b := range s.budgets.of {
		counts[key] = countsKept{b.slow, b.fine.keep(), b.coarse.keep()}
	}
	text, err := encodeKept(counts)
	if err == nil {
		err = writeKept(s.budgetsPath(), text)
	}
	if err != nil && !s.unkept {
		s.config.OnNotice(Notice{Kind: Unkept, Error: err})
		s.unkept = true
	}
}

func (s *Service) budgetsPath() string { return filepath.Join(s.config.Dir, "budgets.json") }
