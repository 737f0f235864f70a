package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	liveTick = time.Second
	// liveLeast is the rest between two looks when viewers come one after another.
	liveLeast = 100 * time.Millisecond
	// liveKept are the changes kept for viewers that are late; who is later gets
	// everything again.
	liveKept = 8
)

// live looks once a second, while anybody watches, and makes of it the bytes
// that all viewers of the same thing get. It never waits for a viewer.
type live struct {
	about self // what does not change
	see   func(now time.Time, functions []string) *scene
	wake  chan struct{} // capacity 1: somebody came

	mu        sync.Mutex
	topics    map[string]*topic // by function; "": no function
	functions table
	head      head
	at        time.Time
}

// self is who answers.
type self struct {
	Version string `json:"version"`
	Node    string `json:"node"`
}

// head is what is said besides the rows.
type head struct {
	standing         standing
	problems, alerts []byte
}

type standing struct {
	Ready    bool `json:"ready"`
	Draining bool `json:"draining"`
}

// topic is what some viewers watch. Guarded by live.mu.
type topic struct {
	viewers   map[*viewer]struct{}
	seq       uint64 // of the latest frame; 0: there is none
	frames    [liveKept][]byte
	all       []byte // everything as of seq; nil: not put together yet
	instances table
	figures   []byte // of the function; nil: there is no such
}

// viewer is one that watches.
type viewer struct {
	live  *live
	topic string
	seq   uint64        // of the latest frame it has; 0: none. Of its goroutine alone
	wake  chan struct{} // capacity 1: there is a frame
}

func newLive(about self, see func(time.Time, []string) *scene) *live {
	return &live{about: about, see: see, wake: make(chan struct{}, 1), topics: map[string]*topic{}}
}

// run looks until ctx ends.
func (l *live) run(ctx context.Context) {
	timer := time.NewTimer(liveTick)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			timer.Reset(max(time.Until(last.Add(liveLeast)), 0))
		case <-timer.C:
			last = time.Now()
			if functions, watched := l.watched(); watched {
				l.publish(l.see(last, functions), last)
				timer.Reset(liveTick)
			}
		}
	}
}

// join makes a viewer, who calls leave once.
func (l *live) join(function string) *viewer {
	v := &viewer{live: l, topic: function, wake: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[function]
	if t == nil {
		t = &topic{viewers: map[*viewer]struct{}{}}
		l.topics[function] = t
		notify(l.wake)
	}
	t.viewers[v] = struct{}{}
	if t.seq > 0 {
		notify(v.wake)
	}
	return v
}

func (v *viewer) leave() {
	l := v.live
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[v.topic]
	delete(t.viewers, v)
	if len(t.viewers) == 0 {
		delete(l.topics, v.topic)
	}
	if len(l.topics) == 0 {
		l.functions, l.head = table{}, head{}
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watched are the functions somebody watches.
func (l *live) watched() (functions []string, watched bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.topics {
		if name != "" {
			functions = append(functions, name)
		}
	}
	return functions, len(l.topics) > 0
}

// next are the frames a viewer has not; nil: it has all.
func (v *viewer) next() [][]byte {
	l := v.live
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.topics[v.topic]
	behind := t.seq - v.seq
	switch {
	case behind == 0:
		return nil
	case v.seq == 0 || behind > liveKept:
		v.seq = t.seq
		return [][]byte{l.whole(t)}
	}
	var frames [][]byte
	for ; v.seq < t.seq; v.seq++ {
		frames = append(frames, t.frames[(v.seq+1)%liveKept])
	}
	return frames
}

// publish makes of what was seen what the viewers of each topic get.
func (l *live) publish(c *scene, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = now
	changed, removed := update(&l.functions, c.functions, func(f *FunctionLive) string { return f.Name })
	w := &writer{}
	w.raw(`{"at":`).value(now.UTC().Truncate(time.Millisecond))
	l.head.changes(w, c)
	w.raw(`,"functions":`).rows(changed).raw(`,"removed":`).value(removed)
	common := w.Bytes()
	for name, t := range l.topics {
		w := &writer{}
		w.raw("event: change\ndata: ")
		_, _ = w.Write(common) // never fails
		t.publish(w, name, c.details[name])
		w.raw("}\n\n")
		t.seq++
		t.frames[t.seq%liveKept], t.all = w.Bytes(), nil
		for v := range t.viewers {
			notify(v.wake)
		}
	}
}

// publish adds the function's own.
func (t *topic) publish(w *writer, name string, d *detail) {
	if name == "" {
		return
	}
	if d == nil { // it is gone
		d = &detail{}
	}
	changed, removed := update(&t.instances, d.instances, func(i *InstanceLive) string { return i.ID })
	w.raw(`,"instances":`).rows(changed).raw(`,"instances_removed":`).value(removed)
	t.figures = encoded(&d.figures)
	w.members(t.figures)
}

// whole is everything as of the latest frame. Requires l.mu.
func (l *live) whole(t *topic) []byte {
	if t.all != nil {
		return t.all
	}
	w := &writer{}
	w.raw("event: all\ndata: {\"at\":").value(l.at.UTC().Truncate(time.Millisecond))
	w.members(encoded(l.about)).members(encoded(l.head.standing))
	w.raw(`,"problems":`).raw(string(l.head.problems)).raw(`,"alerts":`).raw(string(l.head.alerts))
	w.raw(`,"functions":`).rows(l.functions.all())
	if t.figures != nil {
		w.raw(`,"instances":`).rows(t.instances.all()).members(t.figures)
	}
	w.raw("}\n\n")
	t.all = w.Bytes()
	return t.all
}

// changes writes what changed of the head.
func (h *head) changes(w *writer, c *scene) {
	next := head{standing{c.ready, c.draining}, encoded(c.problems), encoded(c.alerts)}
	if next.standing != h.standing {
		w.members(encoded(next.standing))
	}
	if !bytes.Equal(next.problems, h.problems) {
		w.raw(`,"problems":`).raw(string(next.problems))
	}
	if !bytes.Equal(next.alerts, h.alerts) {
		w.raw(`,"alerts":`).raw(string(next.alerts))
	}
	*h = next
}

// table is rows as they were last sent, by key.
type table struct{ rows map[string][]byte }

// update takes rows over, and returns those that changed, and the keys of those
// that are gone.
func update[R any](t *table, list []R, key func(*R) string) (changed [][]byte, removed []string) {
	removed = []string{}
	next := make(map[string][]byte, len(list))
	for i := range list {
		k := key(&list[i])
		row := encoded(&list[i])
		if was := t.rows[k]; bytes.Equal(row, was) {
			row = was // so that the new one is garbage
		} else {
			changed = append(changed, row)
		}
		next[k] = row
	}
	for k := range t.rows {
		if _, there := next[k]; !there {
			removed = append(removed, k)
		}
	}
	slices.Sort(removed)
	t.rows = next
	return changed, removed
}

// all are the rows in the order of their keys.
func (t *table) all() [][]byte {
	list := make([][]byte, 0, len(t.rows))
	for _, k := range slices.Sorted(maps.Keys(t.rows)) {
		list = append(list, t.rows[k])
	}
	return list
}

// encoded is v as JSON. What is shown has no figure that JSON has no word for.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}

// writer puts JSON together.
type writer struct{ bytes.Buffer }

func (w *writer) raw(s string) *writer { _, _ = w.WriteString(s); return w } // never fails

func (w *writer) value(v any) { _, _ = w.Write(encoded(v)) } // never fails

// members adds those of an object that is encoded already.
func (w *writer) members(object []byte) *writer {
	if len(object) > len("{}") {
		_ = w.WriteByte(',')
		_, _ = w.Write(object[1 : len(object)-1])
	}
	return w
}

func (w *writer) rows(list [][]byte) *writer {
	_ = w.WriteByte('[')
	for i, row := range list {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		_, _ = w.Write(row)
	}
	_ = w.WriteByte(']')
	return w
}
