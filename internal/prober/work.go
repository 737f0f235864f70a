package prober

import (
	"container/heap"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"sync"
	"time"

	"holdfast/health"
)

// target is a Target and its schedule, guarded by the prober's mutex.
type target struct {
	Target
	tracker          *health.Tracker
	index            int       // in the heap, -1 when not in it
	due              time.Time // of the next check or, while running, when it is overdue
	started          time.Time // of the last check
	cancel           context.CancelFunc
	running          bool
	overdue          bool      // this check was counted as a failure already
	again            bool      // suspected while running
	fresh            bool      // not checked yet
	since            time.Time // of Set
	gone             bool      // removed or replaced
	next             *target
	blocked          *target // the replaced target whose check still runs
	checks, failures uint64
}

// dispatch hands due targets to workers and returns how long nothing else is
// due, and false when there is nothing to wait for.
func (p *Prober) dispatch(ctx context.Context, workers *sync.WaitGroup) (time.Duration, bool) {
	now := time.Now()
	for {
		late := p.collect(now)
		if late == nil {
			break
		}
		p.deliver(ctx, late.t, late.report)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := min(len(p.ready), p.concurrency+p.stuck-p.workers); n > 0; n-- {
		p.workers++
		workers.Go(func() { p.work(ctx) })
	}
	if len(p.waiting) == 0 {
		return 0, false
	}
	return max(time.Until(p.waiting[0].due), 0), true
}

// late is a check that has overrun its timeout.
type late struct {
	t      *target
	report Report
}

// collect moves due targets to the ready list. It stops at an overdue check
// and returns it with the failure recorded, nil when nothing is due any more.
func (p *Prober) collect(now time.Time) *late {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) > 0 && !p.waiting[0].due.After(now) {
		t, _ := heap.Pop(&p.waiting).(*target)
		if !t.running {
			p.ready = append(p.ready, t)
			continue
		}
		t.overdue = true
		p.stuck++
		if t.gone {
			p.release(t, now)
			continue
		}
		took := now.Sub(t.started)
		reason := fmt.Sprintf("check ignored its timeout of %v and still runs", t.Policy.Timeout)
		return &late{t, p.record(t, health.Result{Reason: reason, Took: took}, now)}
	}
	return nil
}

// work checks ready targets until there are none.
func (p *Prober) work(ctx context.Context) {
	for {
		t, checkCtx, cancel := p.begin(ctx)
		if t == nil {
			return
		}
		result := p.check(checkCtx, t)
		cancel()
		p.finish(ctx, t, result)
	}
}

// begin takes the first ready target, or ends the worker.
func (p *Prober) begin(ctx context.Context) (*target, context.Context, context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ready) > 0 && ctx.Err() == nil && p.workers <= p.concurrency+p.stuck {
		t := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		if t.gone {
			continue
		}
		now := time.Now()
		ctx, cancel := context.WithDeadline(ctx, now.Add(t.Policy.Timeout))
		t.running, t.overdue, t.again = true, false, false
		t.started, t.cancel = now, cancel
		p.schedule(t, now.Add(t.Policy.Timeout+grace))
		p.notifyIfFirst(t)
		return t, ctx, cancel
	}
	if len(p.ready) == 0 {
		p.ready = nil // do not hold on to a long array
	}
	p.workers--
	return nil, nil, nil
}

// notifyIfFirst wakes Run when t has become the first of the heap.
func (p *Prober) notifyIfFirst(t *target) {
	if t.index == 0 {
		p.notify()
	}
}

// check runs the check and turns a panic into a failure: one bad checker must
// not end the health checks of everything else.
func (p *Prober) check(ctx context.Context, t *target) (r health.Result) {
	defer func() {
		if v := recover(); v != nil {
			p.log.ErrorContext(ctx, "health check panicked", slog.String("target", t.Key),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			r = health.Result{Reason: "check panicked"}
		}
	}()
	return t.Check.Check(ctx)
}

// finish records the result and schedules what comes next.
func (p *Prober) finish(ctx context.Context, t *target, r health.Result) {
	now := time.Now()
	if report, ok := p.accept(ctx, t, r, now); ok {
		p.deliver(ctx, t, report)
	}
	p.mu.Lock()
	t.running = false
	if t.gone {
		p.release(t, now)
	} else {
		p.settle(t, now)
	}
	gone, next := t.gone, t.next
	p.mu.Unlock()
	if gone {
		p.close(t, next)
	}
}

// accept records the result, unless nobody wants it any more. The target then
// waits in no list, and counts as running until the report is delivered.
func (p *Prober) accept(ctx context.Context, t *target, r health.Result, now time.Time) (Report, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.index >= 0 {
		heap.Remove(&p.waiting, t.index)
	}
	if t.overdue {
		p.stuck--
	}
	// The end of Run says nothing about the target.
	if t.gone || t.overdue || ctx.Err() != nil {
		return Report{}, false
	}
	return p.record(t, r, now), true
}

// release lets the replacement of a target that is gone start.
func (p *Prober) release(t *target, now time.Time) {
	if next := t.next; next != nil && next.blocked == t && !next.gone {
		next.blocked = nil
		p.schedule(next, now)
		p.notifyIfFirst(next)
	}
}

// settle schedules the next check.
func (p *Prober) settle(t *target, now time.Time) {
	wait := t.tracker.Next(now, rand.Uint64())
	if t.fresh {
		t.fresh, wait = false, spread(wait)
	}
	due := p.aligned(now.Add(wait), t.Policy.Interval)
	if soon := max(now.Sub(t.since)/8, eagerLeast); t.Eager && soon < wait {
		due = now.Add(soon)
	}
	if t.again && t.tracker.State() != health.Down {
		t.tracker.Suspect()
		if soon := t.started.Add(hurry); soon.Before(due) {
			due = soon
		}
	}
	p.schedule(t, due)
	p.notifyIfFirst(t)
}

// aligned moves a due time to the nearest point of a grid of a twentieth of the
// interval, at most maxGrid. What is due at the same moment wakes the process
// once and not many times, which is most of what a check costs.
func (p *Prober) aligned(due time.Time, interval time.Duration) time.Time {
	return p.epoch.Add(due.Sub(p.epoch).Round(min(interval/20, maxGrid)))
}

// record counts the result and returns what to report. p.mu is held.
func (p *Prober) record(t *target, r health.Result, now time.Time) Report {
	t.checks++
	t.Eager = t.Eager && !r.OK
	if !r.OK {
		t.failures++
	}
	changed := t.tracker.Record(r, now)
	return Report{Key: t.Key, State: t.tracker.State(), Changed: changed, Result: r, At: now}
}

// deliver logs a change and calls Report. p.mu is not held.
func (p *Prober) deliver(ctx context.Context, t *target, r Report) {
	if r.Changed {
		level := slog.LevelInfo
		if r.State == health.Down {
			level = slog.LevelWarn
		}
		p.log.Log(ctx, level, "health changed", slog.String("target", t.Key),
			slog.String("state", r.State.String()), slog.String("reason", r.Result.Reason))
	}
	if t.Report != nil {
		t.Report(r)
	}
}

// close closes the checker of t unless its successor uses the same.
func (p *Prober) close(t, next *target) {
	closer, ok := t.Check.(io.Closer)
	if !ok || next != nil && same(t.Check, next.Check) {
		return
	}
	if err := closer.Close(); err != nil {
		p.log.Debug("close health check", slog.String("target", t.Key), slog.Any("error", err))
	}
}

// same compares two checkers; those of uncomparable types differ.
func same(a, b health.Checker) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// dueHeap is a heap of targets, the one due first on top.
type dueHeap []*target

func (h *dueHeap) Len() int           { return len(*h) }
func (h *dueHeap) Less(i, j int) bool { return (*h)[i].due.Before((*h)[j].due) }

func (h *dueHeap) Swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) {
	t, _ := x.(*target)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = -1
	return t
}
