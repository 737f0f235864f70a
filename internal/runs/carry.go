package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"holdfast/internal/supervise"
)

const (
	// spare is what a run may take besides its load: to start, to look, to
	// write its report.
	spare = time.Minute
	// stopTime is how long a child may take to take everything back and write
	// its report before it is killed.
	stopTime = 15 * time.Second
	// silence is how long a child may be: the machine may be busy.
	silence = time.Minute
)

var (
	errStopped = errors.New("stopped by order")
	errOverdue = errors.New("it took longer than it can, and was stopped")
)

// carry takes a run from its start to its end.
func (r *Runs) carry(ctx context.Context, x *record) {
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	overdue := time.AfterFunc(x.atMost+spare, func() { end(errOverdue) })
	defer overdue.Stop()
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-x.stop:
			end(errStopped)
		case <-life.Done():
		}
	})
	out, failure := r.child(life, func() { end(nil) }, x)
	asked := context.Cause(life)
	end(nil)
	watch.Wait()
	state, reason := verdict(out, failure, asked)
	if ctx.Err() != nil && state == Cancelled {
		reason = "Holdfast ended or was replaced"
	}
	if x.run.Kind == Drill {
		reason = strings.TrimPrefix(reason+r.takeBack(ctx, x), "; ")
	}
	r.finish(ctx, x, state, reason)
}

// verdict says what became of a run: out is what its child said, nil if it
// said nothing; failure is how the child ended, asked why it was told to.
func verdict(out *Outcome, failure, asked error) (State, string) {
	switch {
	case out == nil && failure != nil:
		return Crashed, "its process: " + failure.Error()
	case errors.Is(asked, errOverdue):
		return Unjudged, errOverdue.Error()
	case out == nil:
		return Cancelled, errStopped.Error() + "; it did not end in time and was killed"
	case out.Skipped:
		return SkippedHere, out.Message
	}
	switch out.Code {
	case codeDone:
		return Passed, out.Message
	case codeFailed:
		return Failed, out.Message
	case CodeInterrupted:
		return Cancelled, cmp.Or(out.Message, errStopped.Error())
	}
	return Unjudged, out.Message
}

// Exit codes of the commands; what is neither of them is Unjudged.
const (
	codeDone        = 0
	codeError       = 1
	codeFailed      = 2
	CodeInterrupted = 130
)

// child runs the process of a run. done ends its life. It returns what the
// child said, or how it ended.
func (r *Runs) child(life context.Context, done func(), x *record) (*Outcome, error) {
	started := make(chan struct{})
	var once sync.Once
	var c *supervise.Child
	config := supervise.Config{
		Name: "run-" + x.run.ID, Command: r.config.Command, Limits: r.config.Bounds().Child, Once: true, Logger: r.config.Logger,
		StartTimeout: silence, StopTimeout: stopTime, Heartbeat: supervise.Heartbeat{Interval: time.Second, Timeout: silence},
		OnEvent: func(e supervise.Event) {
			once.Do(func() { close(started) })
			if e.To == supervise.Running {
				r.running(x, e.PID, c.Status().InForce.String())
			}
		},
	}
	c, err := supervise.New(config)
	if err != nil {
		return nil, fmt.Errorf("start it: %w", err)
	}
	var all sync.WaitGroup
	var failure error
	all.Go(func() { failure = c.Run(life) })
	<-started // before that it has no calls to wait for
	calls, hangUp := context.WithTimeout(context.WithoutCancel(life), x.atMost+2*spare)
	defer hangUp()
	all.Go(func() { r.follow(calls, c, x) })
	out := &Outcome{}
	failed := c.Call(calls, callRun, x.order, out)
	if failed == nil {
		done()
	}
	if _, remote := errors.AsType[*supervise.RemoteError](failed); remote {
		done()
		out, failed = &Outcome{Code: codeError, Message: failed.Error()}, nil
	}
	all.Wait()
	for _, m := range out.Rest {
		r.moment(x, m)
	}
	if failed == nil {
		return out, nil
	}
	return nil, failure
}

// follow hears what happens in a child until that is over.
func (r *Runs) follow(ctx context.Context, c *supervise.Child, x *record) {
	for {
		var list []Moment
		if err := c.Call(ctx, callMoments, struct{}{}, &list); err != nil {
			return
		}
		for _, m := range list {
			r.moment(x, m)
		}
	}
}

// running says that the child of a run answers.
func (r *Runs) running(x *record, pid int, limits string) {
	n, counted := r.config.Count(x.order.Target.Function)
	r.mu.Lock()
	x.run.State, x.run.PID, x.run.Limits = Running, pid, limits
	if counted {
		x.before, x.counted = n, time.Now()
	}
	v := x.run
	r.mu.Unlock()
	x.line.add(Moment{At: time.Now(), Kind: Changed, Text: string(Running)})
	if err := r.shelf.write(&kept{Run: v}); err != nil {
		r.config.Logger.Warn("a run is kept in memory only", "error", err)
	}
	r.tell(&v, "started")
}

// moment takes in what a child tells. Calls come one after the other.
func (r *Runs) moment(x *record, m Moment) {
	switch m.Kind {
	case Figures:
		if m.Second == nil {
			return
		}
		if now, ok := r.config.Count(x.order.Target.Function); ok {
			r.mu.Lock()
			m.Second.Gateway = now.since(x.before, time.Since(x.counted).Seconds())
			x.before, x.counted = now, time.Now()
			r.mu.Unlock()
		}
	case FaultOn, FaultOff, Note:
	default:
		return
	}
	x.line.add(m)
}
