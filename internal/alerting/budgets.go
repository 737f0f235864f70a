package alerting

import (
	"time"
)

// Past returns the minutes of a function before the start, oldest first. It may
// take as long as the store does; what it cannot know it leaves out.
type Past func(function string, from time.Time) []Minute

// budgets counts for all objectives.
type budgets struct {
	past Past // nil: nothing is known from before the start
	of   map[string]*budget
}

// recallsPerLook bounds how long a look may take right after a start.
const recallsPerLook = 4

func (x *budgets) judge(v *View, rules []*Rule) []Finding {
	var list []Finding
	seen := map[string]*budget{}
	recalls := 0
	for _, r := range rules {
		if r.Objective == nil || r.Off {
			continue
		}
		for i := range v.Functions {
			f := &v.Functions[i]
			if f.Count == nil || !r.concerns(f.Name) {
				continue
			}
			key := r.Name + "\x00" + f.Name
			b := x.of[key]
			if b == nil && recalls == recallsPerLook {
				continue // its turn comes with the next look
			}
			if b == nil {
				recalls++
				b = x.begin(r, f.Name, v.At)
			}
			seen[key] = b
			all, bad := f.Count(r.Objective.Slow)
			b.count(v.At, all, bad)
			if finding, wrong := b.look(r, f.Name); wrong {
				list = append(list, finding)
			}
		}
	}
	x.of = seen
	return list
}

func (x *budgets) begin(r *Rule, function string, now time.Time) *budget {
	b := newBudget()
	if r.Objective.Slow == 0 && x.past != nil {
		b.recall(x.past(function, now.Add(-b.coarse.length())))
	}
	return b
}
