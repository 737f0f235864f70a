package control

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"holdfast/balancer"
	"holdfast/internal/store"
)

// Moved says what a failover or failback did.
type Moved struct {
	Function string `json:"function_name"`
	Instance string `json:"instance"`
	// Before and After count the instances that can take traffic.
	Before int `json:"instance_count_before"`
	After  int `json:"instance_count_after"`
	// InFlight is what the instance still has to finish.
	InFlight int                 `json:"in_flight"`
	Action   store.ScalingAction `json:"action"`
}

// Failover moves traffic off an instance at once. An empty id means the
// primary: the lowest priority, and of equals the busiest. Force does it even
// when nobody else can take the traffic.
func (c *Control) Failover(ctx context.Context, by store.Actor, function, instance, reason string, force bool) (Moved, error) {
	fn, err := c.function(function)
	if err != nil {
		return Moved{}, err
	}
	m, text := Moved{Function: function}, because(by, reason)
	err = c.order(ctx, by, function, "function.failover", reason, func(o *Orders) error {
		stats := fn.Balancer().Stats(time.Now())
		chosen, err := chooseFailover(&stats, o, instance, force)
		if err != nil {
			return err
		}
		m.Instance, m.Before, m.InFlight = chosen, available(&stats), inFlight(&stats, chosen)
		o.Failover = &Failover{Order{by.Name, time.Now(), text}, chosen}
		return nil
	})
	if err != nil {
		return Moved{}, err
	}
	stats := fn.Balancer().Stats(time.Now())
	m.After = available(&stats)
	m.Action = c.record(moveAction(&m, "traffic moved off "+m.Instance+", "+text, by), operator)
	return m, nil
}

// Failback takes a failover back.
func (c *Control) Failback(ctx context.Context, by store.Actor, function, reason string) (Moved, error) {
	fn, err := c.function(function)
	if err != nil {
		return Moved{}, err
	}
	m, text := Moved{Function: function}, because(by, reason)
	err = c.order(ctx, by, function, "function.failback", reason, func(o *Orders) error {
		if o.Failover == nil {
			return conflict("", "function %s has not failed over", function)
		}
		stats := fn.Balancer().Stats(time.Now())
		m.Instance, m.Before = o.Failover.Instance, available(&stats)
		o.Failover = nil
		return nil
	})
	if err != nil {
		return Moved{}, err
	}
	stats := fn.Balancer().Stats(time.Now())
	m.After, m.InFlight = available(&stats), inFlight(&stats, m.Instance)
	m.Action = c.record(moveAction(&m, "traffic back on "+m.Instance+", "+text, by), operator)
	return m, nil
}

func moveAction(m *Moved, reason string, by store.Actor) store.ScalingAction {
	metrics, err := json.Marshal(map[string]any{"instance": m.Instance, "by": by.Name, "in_flight": m.InFlight})
	if err != nil {
		metrics = nil // texts and numbers can be written
	}
	return store.ScalingAction{
		Function: m.Function, Action: "failover", Before: m.Before, After: m.After, Reason: reason, Metrics: metrics, Success: true,
	}
}

// chooseFailover decides which instance loses its traffic.
func chooseFailover(s *balancer.Stats, o *Orders, wanted string, force bool) (string, error) {
	if o.Failover != nil && (wanted == "" || wanted == o.Failover.Instance) {
		return "", conflict("take it back first: holdfast function failback", "traffic was moved off %s already, at %s", o.Failover.Instance, o.Failover.At.Format(time.RFC3339))
	}
	chosen := primary(s)
	if wanted != "" {
		chosen = find(s, wanted)
		if chosen == nil {
			return "", notFound("there is no instance %q", wanted)
		}
	}
	if chosen == nil {
		return "", conflict("", "there is no instance whose traffic could be moved")
	}
	if !force && !slices.ContainsFunc(s.Instances, func(i balancer.InstanceStats) bool { return i.ID != chosen.ID && couldServe(&i) }) {
		return "", conflict("start another instance first, or say force", "nobody else could take the traffic of %s", chosen.ID)
	}
	return chosen.ID, nil
}

// primary is the instance that traffic depends on most.
func primary(s *balancer.Stats) *balancer.InstanceStats {
	var best *balancer.InstanceStats
	for i := range s.Instances {
		x := &s.Instances[i]
		if x.Draining || x.Lifecycle == balancer.Stopped {
			continue
		}
		if best == nil || busier(x, best) {
			best = x
		}
	}
	return best
}

// busier prefers who may serve, then the lower priority, then the load.
func busier(a, b *balancer.InstanceStats) bool {
	return cmp.Or(
		boolean(couldServe(b))-boolean(couldServe(a)),
		cmp.Compare(a.Priority, b.Priority),
		cmp.Compare(b.InFlight, a.InFlight),
		cmp.Compare(b.Share, a.Share),
	) < 0
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func find(s *balancer.Stats, id string) *balancer.InstanceStats {
	for i := range s.Instances {
		if s.Instances[i].ID == id {
			return &s.Instances[i]
		}
	}
	return nil
}

func inFlight(s *balancer.Stats, id string) int {
	if i := find(s, id); i != nil {
		return i.InFlight
	}
	return 0
}

// couldServe says whether an instance takes traffic when asked to.
func couldServe(i *balancer.InstanceStats) bool {
	return i.Lifecycle == balancer.Running && i.Health == balancer.HealthUp && !i.Draining && !i.Ejected
}

func available(s *balancer.Stats) int {
	n := 0
	for i := range s.Instances {
		if couldServe(&s.Instances[i]) {
			n++
		}
	}
	return n
}
