package drill

import (
	"context"
	"fmt"
	"slices"
	"time"

	"holdfast/fault/sysfault"
)

// Residue is what Holdfast holds more after a drill than before it, and what is left behind on the machine.
type Residue struct {
	Goroutines int   `json:"goroutines"`
	Files      int   `json:"files"`
	Bytes      int64 `json:"rss_bytes"`
	// Left names processes of instances that Holdfast does not know any more, and what faults left: stopped processes,
	// control groups, tables of nftables. There must be none.
	Left []string `json:"left,omitempty"`
}

// settle is how long what the load used may take to be given back before it
// counts as residue.
const settle = 3 * time.Second

// state asks how things are, and remembers which processes there are.
func (r *run) state(ctx context.Context) (*State, error) {
	s, err := r.Server.State(ctx, r.Function)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range s.Instances {
		if start, ok := sysfault.Started(i.PID); ok && i.PID > 0 {
			r.seen[i.PID] = start
		}
	}
	return s, nil
}

// aftermath asks how things are, once Holdfast has had time to tidy up.
func (r *run) aftermath(ctx context.Context, m *moments) (err error) {
	for deadline := time.Now().Add(settle); ; {
		if m.after, err = r.state(ctx); err != nil {
			return err
		}
		m.left = r.strays(m.after)
		tidy := m.after.Goroutines <= m.before.Goroutines && m.after.Files <= m.before.Files && len(m.left) == 0
		if tidy || time.Now().After(deadline) {
			break
		}
		if err := wait(ctx, time.Now().Add(settle/10)); err != nil {
			return err
		}
	}
	m.left = append(m.left, r.driver.Left()...)
	m.events, _, err = r.Server.Events(ctx, m.since)
	return err
}

// strays are processes that were those of instances, and run though Holdfast does not know them any more.
func (r *run) strays(now *State) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for pid, start := range r.seen {
		known := slices.ContainsFunc(now.Instances, func(i Instance) bool { return i.PID == pid })
		if same, ok := sysfault.Started(pid); ok && same == start && !known {
			list = append(list, fmt.Sprintf("process %d, which was an instance's, still runs", pid))
		}
	}
	slices.Sort(list)
	return list
}

// residue compares before and after. What cannot be read on this system is told.
func (r *run) residue(out *Result, m *moments) {
	x := &Residue{
		Goroutines: m.after.Goroutines - m.before.Goroutines, Files: m.after.Files - m.before.Files,
		Bytes: m.after.RSS - m.before.RSS, Left: m.left,
	}
	out.Residue = x
	out.Figures["residue"] = float64(max(x.Goroutines, 0))
	out.Figures["leftover"] = float64(len(x.Left))
	if m.before.Files > 0 {
		out.Figures["files"] = float64(max(x.Files, 0))
	} else {
		out.Not["files"] = "the server cannot read how many files it has open"
	}
	if m.before.RSS > 0 {
		out.Figures["memory"] = float64(max(x.Bytes, 0)) / (1 << 20)
	} else {
		out.Not["memory"] = "the server cannot read how much memory it has"
	}
}
