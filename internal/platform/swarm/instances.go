package swarm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	api "github.com/moby/moby/api/types/swarm"

	"holdfast/internal/platform"
)

const (
	// crashes within crashesIn of one slot are a crash loop, until a task has run
	// for crashOver. Swarm keeps five tasks of a slot unless it is told otherwise,
	// so those that were seen are remembered.
	crashes   = 3
	crashesIn = 5 * time.Minute
	crashOver = 10 * time.Second
	idShown   = 12 // characters of a task's id, as the docker command shows it
)

// alive: the task has a container, or will have.
func alive(t *api.Task) bool {
	switch t.Status.State {
	case api.TaskStateNew, api.TaskStateAllocated, api.TaskStatePending, api.TaskStateAssigned, api.TaskStateAccepted,
		api.TaskStatePreparing, api.TaskStateReady, api.TaskStateStarting, api.TaskStateRunning:
		return true
	case api.TaskStateComplete, api.TaskStateShutdown, api.TaskStateFailed, api.TaskStateRejected, api.TaskStateRemove, api.TaskStateOrphaned:
	}
	return false
}

// wanted: the swarm wants the task to run, or to be ready to.
func wanted(t *api.Task) bool {
	return t.DesiredState == api.TaskStateRunning || t.DesiredState == api.TaskStateReady || t.DesiredState == api.TaskStateAccepted
}

// failed: the task ended by itself.
func failed(t *api.Task) bool {
	return t.Status.State == api.TaskStateFailed || t.Status.State == api.TaskStateRejected || t.Status.State == api.TaskStateComplete
}

// instanceID is the slot and the id of a task as `docker service ps` shows them.
// A task that replaces another is another instance: it has another address.
func instanceID(slot int, task string) string {
	return fmt.Sprintf("%d-%s", slot, task[:min(idShown, len(task))])
}

// instances are all tasks that are not over, and of slots that have none the one
// that failed last. Slots that a scale took away keep their failures for a while
// too: there are no more of these than instances missing.
func (w *watch) instances(tasks []api.Task, desired int, now time.Time) []platform.Instance {
	w.remember(tasks, now)
	var out []platform.Instance
	all := slots(tasks)
	missing := desired
	for _, slot := range all {
		if slices.ContainsFunc(slot, func(t *api.Task) bool { return alive(t) && wanted(t) }) {
			missing--
		}
	}
	for _, slot := range slices.Sorted(maps.Keys(all)) {
		list := w.slot(all[slot], now)
		if !slices.ContainsFunc(all[slot], alive) {
			if missing < len(list) {
				continue
			}
			missing -= len(list)
		}
		out = append(out, list...)
	}
	return out
}

func (w *watch) slot(tasks []*api.Task, now time.Time) []platform.Instance {
	var out []platform.Instance
	h := w.past(tasks, now)
	for _, t := range tasks {
		if !alive(t) {
			continue
		}
		i := platform.Instance{ID: instanceID(t.Slot, t.ID), Endpoint: w.endpoint(t), Version: version(&t.Spec), Restarts: h.ended}
		i.State, i.Since, i.Reason = w.state(t, &h, now)
		out = append(out, i)
	}
	last := tasks[len(tasks)-1]
	if len(out) == 0 && failed(last) && last.DesiredState != api.TaskStateRemove {
		i := platform.Instance{ID: instanceID(last.Slot, last.ID), Version: version(&last.Spec), Restarts: h.ended - 1}
		i.State, i.Since, i.Reason = h.gone(), last.Status.Timestamp, h.reason
		out = append(out, i)
	}
	return out
}

// history is how a slot's earlier tasks ended.
type history struct {
	ended  int    // by themselves
	lately int    // of these within crashesIn
	reason string // of the last one
}

func (w *watch) past(tasks []*api.Task, now time.Time) history {
	var h history
	kept := map[string]bool{}
	for _, t := range tasks {
		if !failed(t) {
			continue
		}
		kept[t.ID] = true
		h.ended++
		if now.Sub(t.Status.Timestamp) < crashesIn {
			h.lately++
		}
		h.reason = "it ended: " + cmp.Or(t.Status.Err, t.Status.Message)
	}
	var forgotten end
	for id, e := range w.ends {
		if e.slot != tasks[0].Slot || kept[id] {
			continue
		}
		h.ended++
		h.lately++
		if e.at.After(forgotten.at) {
			forgotten = e
		}
	}
	h.reason = cmp.Or(h.reason, forgotten.reason)
	return h
}

// end is a task that ended by itself, of which the swarm may know no longer.
type end struct {
	slot   int
	at     time.Time
	reason string
}

// remember keeps how tasks ended for as long as it counts.
func (w *watch) remember(tasks []api.Task, now time.Time) {
	if w.ends == nil {
		w.ends = map[string]end{}
	}
	slots := map[int]bool{}
	for n := range tasks {
		t := &tasks[n]
		slots[t.Slot] = true
		if failed(t) {
			w.ends[t.ID] = end{t.Slot, t.Status.Timestamp, "it ended: " + cmp.Or(t.Status.Err, t.Status.Message)}
		}
	}
	maps.DeleteFunc(w.ends, func(_ string, e end) bool { return !slots[e.slot] || now.Sub(e.at) >= crashesIn })
}

func (h *history) gone() platform.State {
	if h.lately >= crashes {
		return platform.CrashLoop
	}
	return platform.Gone
}

// state says how a task that is alive is.
func (w *watch) state(t *api.Task, h *history, now time.Time) (platform.State, time.Time, string) {
	running := t.Status.State == api.TaskStateRunning
	switch {
	case !wanted(t):
		return platform.Stopping, t.UpdatedAt, "the swarm ends it"
	case w.d.over(t.ID):
		return h.gone(), t.UpdatedAt, "its container ended"
	case !running && t.DesiredState == api.TaskStateReady && h.ended > 0:
		return h.gone(), t.CreatedAt, h.reason // it waits for the delay of restarts
	case h.lately >= crashes && (!running || now.Sub(t.Status.Timestamp) < crashOver):
		return platform.CrashLoop, t.CreatedAt, h.reason
	case !running:
		return platform.Starting, t.CreatedAt, cmp.Or(t.Status.Err, string(t.Status.State))
	}
	return w.accepting(t)
}

// accepting says how a task is whose container runs.
func (w *watch) accepting(t *api.Task) (platform.State, time.Time, string) {
	r := w.ready[t.ID]
	switch {
	case r.accepted:
		return platform.Running, t.Status.Timestamp, ""
	case r.reason != "":
		return platform.Starting, t.CreatedAt, "it does not accept connections: " + r.reason
	}
	return platform.Starting, t.CreatedAt, "its address is not known yet"
}
