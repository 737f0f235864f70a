package app

import (
	"slices"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/platform"
)

// lives tells the gateway and the log what becomes of one function's instances
// on their platform. Guarded by the lock of its owner.
type lives struct {
	function  string
	instances *instances
	told      map[string]life      // what the gateway was told last, by id
	published map[string]published // what the last event said
}

type published struct {
	state platform.State
	spare bool
}

// life is what makes an instance another one to the gateway: it was started
// anew, or is in another state.
type life struct {
	state    platform.State
	pid      int
	restarts int
	spare    bool
}

func lifeOf(i *platform.Instance) life { return life{i.State, i.PID, i.Restarts, i.Spare} }

// promoted says whether a spare became an instance, and is what it was otherwise.
func (l life) promoted(i *platform.Instance) bool {
	spare := l.spare
	l.spare = false
	return spare && l == lifeOf(i)
}

func newLives(function string, i *instances) *lives {
	return &lives{function: function, instances: i, told: map[string]life{}, published: map[string]published{}}
}

// tell makes the gateway's instances those of list, with their states. What has
// no endpoint yet, or has ended, it does not hear of.
func (l *lives) tell(f *config.Function, list []platform.Instance) error {
	list = slices.DeleteFunc(slices.Clone(list), func(i platform.Instance) bool {
		return i.State == platform.Stopped || i.Endpoint == ""
	})
	specs := make([]balancer.Spec, len(list))
	same := map[string]bool{}
	// Only what runs is checked, and what was started anew is checked anew.
	for n := range list {
		i := &list[n]
		specs[n] = balancer.Spec{ID: i.ID, Endpoint: i.Endpoint, Weight: 1}
		was := l.told[i.ID]
		same[i.ID] = i.State == platform.Running && (was == lifeOf(i) || was.promoted(i))
	}
	if err := l.instances.set(l.function, f, specs, func(id string) bool { return same[id] }); err != nil {
		return err
	}
	before := l.told
	l.told = map[string]life{}
	fn := l.instances.gateway.Function(l.function)
	for n := range list {
		i := &list[n]
		l.told[i.ID] = lifeOf(i)
		was, known := before[i.ID]
		switch {
		case known && was.promoted(i): // its checks hold
			fn.Balancer().SetLifecycle(fn.Instance(i.ID), lifecycleOf(i), i.Reason, time.Now())
		case known && was == (life{state: platform.Stopping, pid: i.PID, restarts: i.Restarts}) && !i.Spare && i.State == platform.Running:
			fn.Balancer().SetLifecycle(fn.Instance(i.ID), balancer.Running, i.Reason, time.Now())
			l.instances.inRotation(l.function, i.ID, "wanted again")
		case !known || was != lifeOf(i):
			tellState(fn, i)
		}
	}
	return l.instances.set(l.function, f, specs, func(id string) bool {
		return l.told[id].state == platform.Running
	})
}

// tellState tells the balancer what became of an instance.
func tellState(fn *exchange.Function, i *platform.Instance) {
	inst := fn.Instance(i.ID)
	fn.Balancer().SetHealth(inst, balancer.HealthUnknown, "a new process", time.Now())
	fn.Balancer().SetLifecycle(inst, lifecycleOf(i), reasonOf(i), time.Now())
}

func lifecycleOf(i *platform.Instance) balancer.Lifecycle {
	if i.Spare {
		return balancer.Spare
	}
	switch i.State {
	case platform.Starting:
		return balancer.Starting
	case platform.Running:
		return balancer.Running
	case platform.Stopping, platform.Stopped:
		return balancer.Stopped
	case platform.Gone, platform.CrashLoop:
		return balancer.Gone
	}
	return balancer.Gone
}

// news is the event of an instance's state; false: the last one said the same.
func (l *lives) news(i *platform.Instance) (event.Event, bool) {
	said := published{i.State, i.Spare}
	before, known := l.published[i.ID]
	l.published[i.ID] = said
	return event.Event{
		At: i.Since, Kind: event.Process, Function: l.function, Instance: i.ID,
		To: i.State.String(), Source: "platform", Reason: reasonOf(i),
	}, !known || before != said
}
