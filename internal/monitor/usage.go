package monitor

import "time"

// usage is what the processes of a group use.
type usage struct {
	cpu float64 // percent of one core since the last look; NaN at the first
	rss uint64
}

// groups measures process groups from tick to tick.
type groups struct {
	at    time.Time
	spent map[int]map[int]time.Duration // by group and process
}

// processUse is one process as the system shows it.
type processUse struct {
	pid, group int
	spent      time.Duration
	rss        uint64
}

// sum puts the processes of each group together. Processor time of a process
// that is new counts from its start, that of one that is gone is lost.
func (g *groups) sum(list []processUse, now time.Time) map[int]usage {
	used := map[int]usage{}
	spent := map[int]map[int]time.Duration{}
	grown := map[int]time.Duration{}
	for _, p := range list {
		u := used[p.group]
		u.rss += p.rss
		used[p.group] = u
		if spent[p.group] == nil {
			spent[p.group] = map[int]time.Duration{}
		}
		spent[p.group][p.pid] = p.spent
		grown[p.group] += p.spent - min(p.spent, g.spent[p.group][p.pid])
	}
	for group, u := range used {
		u.cpu = nan
		if _, known := g.spent[group]; known && now.After(g.at) {
			u.cpu = 100 * float64(grown[group]) / float64(now.Sub(g.at))
		}
		used[group] = u
	}
	g.at, g.spent = now, spent
	return used
}
