package swarm

import (
	"strings"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/swarm"

	"holdfast/internal/platform"
)

// task is one of slot 1; ago is how long it is in its state.
func task(id string, state, desired api.TaskState, created, ago time.Duration, now time.Time) api.Task {
	t := api.Task{ID: id, Slot: 1, NodeID: "node", DesiredState: desired}
	t.CreatedAt, t.Status.Timestamp = now.Add(-created), now.Add(-ago)
	t.Status.State = state
	t.NetworksAttachments = []api.NetworkAttachment{{Network: api.Network{Spec: api.NetworkSpec{Annotations: api.Annotations{Name: hostNetwork}}}}}
	if state == api.TaskStateFailed {
		t.Status.Err = "task: non-zero exit (1)"
	}
	return t
}

func TestTasksAreToldAsTheInstancesTheyAre(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const s = time.Second
	running, ready, shutdown, remove := api.TaskStateRunning, api.TaskStateReady, api.TaskStateShutdown, api.TaskStateRemove
	failed := func(id string, created time.Duration) api.Task {
		return task(id, api.TaskStateFailed, shutdown, created, created-s, now)
	}
	thrice := []api.Task{failed("a", 40*s), failed("b", 30*s), failed("c", 20*s)}
	for name, x := range map[string]struct {
		tasks []api.Task
		want  []string // instance, state
	}{
		"one that runs":                   {[]api.Task{task("up", running, running, 60*s, 50*s, now)}, []string{"1-up running"}},
		"one that does not accept yet":    {[]api.Task{task("deaf", running, running, 60*s, 50*s, now)}, []string{"1-deaf starting"}},
		"one that waits for a node":       {[]api.Task{task("new", api.TaskStatePending, running, 3*s, 3*s, now)}, []string{"1-new starting"}},
		"one that is told to end":         {[]api.Task{task("up", running, remove, 60*s, 50*s, now)}, []string{"1-up stopping"}},
		"one that was replaced":           {[]api.Task{task("old", api.TaskStateShutdown, shutdown, 60*s, 9*s, now), task("up", running, running, 10*s, 8*s, now)}, []string{"1-up running"}},
		"one that is being replaced":      {[]api.Task{task("old", running, shutdown, 60*s, 50*s, now), task("next", ready, ready, s, s, now)}, []string{"1-old stopping", "1-next starting"}},
		"one that is over":                {[]api.Task{task("old", api.TaskStateShutdown, shutdown, 60*s, 9*s, now)}, nil},
		"one that failed":                 {[]api.Task{failed("a", 5*s)}, []string{"1-a gone"}},
		"one that failed and went":        {[]api.Task{task("a", api.TaskStateFailed, remove, 5*s, s, now)}, nil},
		"one that waits to start again":   {[]api.Task{failed("a", 5*s), task("b", ready, ready, s, s, now)}, []string{"1-b gone"}},
		"one that starts again":           {[]api.Task{failed("a", 5*s), task("b", api.TaskStateStarting, running, s, s, now)}, []string{"1-b starting"}},
		"one that starts a fourth time":   {append(thrice[:3:3], task("d", api.TaskStateStarting, running, s, s, now)), []string{"1-d crash_loop"}},
		"one that runs a fourth time":     {append(thrice[:3:3], task("up", running, running, 5*s, 4*s, now)), []string{"1-up crash_loop"}},
		"one that has run for long since": {append(thrice[:3:3], task("up", running, running, 15*s, 11*s, now)), []string{"1-up running"}},
		"one whose container died":        {[]api.Task{task("dead", running, running, 60*s, 50*s, now)}, []string{"1-dead gone"}},
	} {
		w := watch{
			d:     &Driver{cfg: Config{Scheme: "http", Port: 80}, dead: map[string]time.Time{"dead": now}},
			nodes: map[string]string{"node": "10.0.0.1"}, ready: map[string]readiness{"up": {accepted: true}, "deaf": {reason: "refused"}},
		}
		var got []string
		for _, i := range w.instances(x.tasks, 1, now) {
			got = append(got, i.ID+" "+i.State.String())
			if i.State != platform.Running && i.Reason == "" {
				t.Errorf("%s: without a reason: %+v", name, i)
			}
			if i.Since.IsZero() && i.State != platform.Stopping && i.State != platform.Gone {
				t.Errorf("%s: without its time: %+v", name, i)
			}
		}
		if strings.Join(got, ", ") != strings.Join(x.want, ", ") {
			t.Errorf("%s is told as %q, not %q", name, got, x.want)
		}
	}
}

// A swarm may be told to keep fewer old tasks than make a crash loop.
func TestCrashesThatTheSwarmForgetsAreRemembered(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := watch{d: &Driver{cfg: Config{Scheme: "http", Port: 80}}, ready: map[string]readiness{"up": {accepted: true}}}
	told := func(at time.Time, tasks ...api.Task) string {
		t.Helper()
		list := w.instances(tasks, 1, at)
		if len(list) != 1 {
			t.Fatalf("told: %+v", list)
		}
		if list[0].State != platform.Running && list[0].Reason == "" {
			t.Errorf("without a reason: %+v", list[0])
		}
		return list[0].State.String()
	}
	for n, id := range []string{"a", "b", "c"} {
		at := now.Add(time.Duration(n) * 10 * time.Second)
		want := map[string]string{"a": "gone", "b": "gone", "c": "crash_loop"}[id]
		if got := told(at, task(id, api.TaskStateFailed, api.TaskStateShutdown, 2*time.Second, time.Second, at)); got != want {
			t.Errorf("after %s it is %s, want %s", id, got, want)
		}
	}
	at := now.Add(25 * time.Second)
	if got := told(at, task("d", api.TaskStateStarting, api.TaskStateRunning, time.Second, time.Second, at)); got != "crash_loop" {
		t.Errorf("the fourth one is %s", got)
	}
	at = at.Add(15 * time.Second)
	if got := told(at, task("up", api.TaskStateRunning, api.TaskStateRunning, 12*time.Second, 11*time.Second, at)); got != "running" {
		t.Errorf("one that has run for long is %s", got)
	}
	at = at.Add(crashesIn)
	if got := told(at, task("e", api.TaskStateStarting, api.TaskStateRunning, time.Second, time.Second, at)); got != "starting" || len(w.ends) > 0 {
		t.Errorf("much later one is %s, remembered are %v", got, w.ends)
	}
}

func TestAFailureInASlotThatWasScaledAwayIsNoInstance(t *testing.T) {
	t.Parallel()
	now := time.Now()
	up := task("up", api.TaskStateRunning, api.TaskStateRunning, time.Minute, time.Minute, now)
	left := task("left", api.TaskStateComplete, api.TaskStateShutdown, time.Minute, time.Second, now)
	left.Slot = 2
	w := watch{d: &Driver{cfg: Config{Scheme: "http", Port: 80}}, ready: map[string]readiness{"up": {accepted: true}}}
	for desired, want := range map[int]int{1: 1, 2: 2} {
		if got := w.instances([]api.Task{left, up}, desired, now); len(got) != want {
			t.Errorf("of %d instances these are told: %+v", desired, got)
		}
	}
}

func TestAVersionIsWhatTasksRunAndNotWhereTheyMay(t *testing.T) {
	t.Parallel()
	a := api.TaskSpec{ContainerSpec: &api.ContainerSpec{Image: "web:1"}, Runtime: api.RuntimeContainer}
	b, c, d := a, a, a
	b.Runtime, b.Placement = "", &api.Placement{Constraints: []string{"node.role==worker"}}
	c.ContainerSpec = &api.ContainerSpec{Image: "web:2"}
	d.ForceUpdate = 1
	if version(&a) != version(&b) || len(version(&a)) != versionLen {
		t.Errorf("the same is called %s and %s", version(&a), version(&b))
	}
	if version(&a) == version(&c) || version(&a) == version(&d) {
		t.Errorf("different ones are called %s, %s, %s", version(&a), version(&c), version(&d))
	}
}

func TestANodeIsWhereOthersReachIt(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		status  string
		manager *api.ManagerStatus
		want    string
	}{
		{"10.0.0.1", nil, "10.0.0.1"},
		{"0.0.0.0", &api.ManagerStatus{Addr: "10.0.0.2:2377"}, "10.0.0.2"},
		{"", nil, ""},
	} {
		n := api.Node{Status: api.NodeStatus{Addr: x.status}, ManagerStatus: x.manager}
		if got := nodeAddress(&n); got != x.want {
			t.Errorf("%s, %+v: %q", x.status, x.manager, got)
		}
	}
}
