package swarm

import (
	"context"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// Labels the engine gives the containers of tasks.
const (
	labelService = "com.docker.swarm.service.name"
	labelID      = "com.docker.swarm.service.id"
	labelTask    = "com.docker.swarm.task.id"
	labelName    = "com.docker.swarm.task.name"
)

// listen wakes Run when the engine tells of the service or of a container of it,
// until ctx ends. Without it Run would only be slower.
func (d *Driver) listen(ctx context.Context) {
	for {
		d.follow(ctx)
		if !sleep(ctx, busy) {
			return
		}
	}
}

// follow returns when the stream ends.
func (d *Driver) follow(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	filters := make(client.Filters).Add("type", string(events.ServiceEventType), string(events.ContainerEventType)).
		Add("event", string(events.ActionStart), string(events.ActionKill), string(events.ActionDie),
			string(events.ActionHealthStatus), string(events.ActionUpdate), string(events.ActionRemove))
	stream := d.engine.client.Events(ctx, client.EventsListOptions{Filters: filters})
	over := make(chan struct{})
	go func() {
		defer close(over)
		for range stream.Err { // why it ended is no matter, looking says what is wrong
			stop()
		}
	}()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case m := <-stream.Messages:
			d.heard(&m)
		}
	}
	<-over
}

func (d *Driver) heard(m *events.Message) {
	attributes := m.Actor.Attributes
	if m.Type == events.ServiceEventType {
		if m.Actor.ID == d.cfg.Service || attributes["name"] == d.cfg.Service {
			d.wake()
		}
		return
	}
	if attributes[labelService] != d.cfg.Service && attributes[labelID] != d.cfg.Service {
		return
	}
	if m.Action == events.ActionDie {
		d.died(attributes[labelTask])
	}
	d.wake()
}

// died remembers that a task has no container any more, which the manager hears
// a moment later. No task gets a second one.
func (d *Driver) died(task string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for id, at := range d.dead {
		if now.Sub(at) > time.Minute {
			delete(d.dead, id)
		}
	}
	d.dead[task] = now
}

// over reports which of the tasks have no container any more.
func (d *Driver) over(task string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.dead[task]
	return ok
}
