package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/platform"
)

// hear takes what a driver tells. After an error the instances stay as they
// were: health checks and results go on deciding who gets requests.
func (r *remote) hear(w *watch, o platform.Observation, err error) {
	now := time.Now()
	r.mu.Lock()
	if r.watch != w || r.retired {
		r.mu.Unlock()
		return
	}
	if err != nil {
		r.mu.Unlock()
		r.lost(w, err.Error())
		return
	}
	r.seen, r.heard = &o, now
	r.settle(&o, now)
	news := r.news(&o)
	err = r.lives.tell(r.function, o.Instances)
	r.keepOut()
	r.mu.Unlock()
	if err != nil {
		r.owner.logger.Error("update instances", "function", r.name, "error", err)
	}
	for _, e := range news {
		r.owner.events.Publish(e)
	}
}

// lost notes that nothing is known any more, and tells it once.
func (r *remote) lost(w *watch, why string) {
	r.mu.Lock()
	first := r.watch == w && !r.retired && r.trouble == ""
	if r.watch == w {
		r.trouble = why
	}
	where := r.at.Name()
	r.mu.Unlock()
	if !first {
		return
	}
	r.owner.logger.Warn("platform not seen: its instances stay as they were, nothing is scaled", "function", r.name, "platform", where, "reason", why)
	r.owner.events.Publish(event.Event{Kind: event.Platform, Function: r.name, From: "known", To: "unknown", Source: where, Reason: why})
}

// news is what an observation has that is worth an event. Requires r.mu.
func (r *remote) news(o *platform.Observation) []event.Event {
	var list []event.Event
	where := r.at.Name()
	if r.trouble != "" {
		list = append(list, event.Event{Kind: event.Platform, Function: r.name, From: "unknown", To: "known", Source: where, Reason: "it was: " + r.trouble})
		r.trouble = ""
	}
	if o.Owner != r.owned {
		e := event.Event{Kind: event.Platform, Function: r.name, From: "owned", To: "free", Source: where, Reason: "nobody else sets the number of instances any more"}
		if o.Owner != "" {
			e.From, e.To, e.Reason = "free", "owned", o.Owner+" sets the number of instances; Holdfast leaves it alone"
		}
		list = append(list, e)
		r.owned = o.Owner
	}
	present := map[string]bool{}
	for n := range o.Instances {
		i := &o.Instances[n]
		present[i.ID] = true
		if e, fresh := r.lives.news(i); fresh {
			list = append(list, e)
		}
	}
	maps.DeleteFunc(r.lives.published, func(id string, _ published) bool { return !present[id] })
	return list
}

// tell gives the gateway once more what is known.
func (r *remote) tell() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.retired || r.seen == nil {
		return nil
	}
	err := r.lives.tell(r.function, r.seen.Instances)
	r.keepOut()
	return err
}

// tend notices when nothing is heard, and measures the instances.
func (r *remote) tend(w *watch) {
	ticker := time.NewTicker(platform.Retell)
	defer ticker.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case now := <-ticker.C:
			r.mu.Lock()
			d, last := w.driver, r.heard
			r.mu.Unlock()
			if silent := now.Sub(latest(last, w.began)); silent > platform.Freshness {
				r.lost(w, fmt.Sprintf("nothing was heard of it for %s", silent.Round(time.Second)))
			}
			if d != nil && d.Capabilities().Metrics {
				r.measure(w, d)
			}
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// measure asks what the instances use. Without an answer nothing is known: what
// is old is dropped by whoever reads it.
func (r *remote) measure(w *watch, d platform.Driver) {
	ctx, stop := context.WithTimeout(w.ctx, platform.Retell)
	defer stop()
	usage, err := d.Metrics(ctx)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch == w {
		r.usage = usage
	}
}

// current is the last observation; false: it does not hold, trouble says why.
func (r *remote) current(now time.Time) (o platform.Observation, trouble string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.trouble != "":
		return o, r.trouble, false
	case r.seen == nil:
		return o, "nothing was heard of it yet", false
	case now.Sub(r.heard) > platform.Freshness:
		return o, "nothing was heard of it since " + r.heard.Format(time.TimeOnly), false
	}
	return *r.seen, "", true
}

// list returns the instances as they were last seen.
func (r *remote) list() []platform.Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		return nil
	}
	return slices.Clone(r.seen.Instances)
}

// find returns an instance by id.
func (r *remote) find(id string) (platform.Instance, bool) {
	list := r.list()
	n := slices.IndexFunc(list, func(i platform.Instance) bool { return i.ID == id })
	if n < 0 {
		return platform.Instance{}, false
	}
	return list[n], true
}
