package runs

import (
	"context"
	"sync"
	"time"

	"holdfast/internal/supervise"
)

// Order is what a child is asked to do.
type Order struct {
	ID     string
	Spec   Spec
	Target Target
	Report string // the file it writes
}

// Outcome is how it went. Code is the exit code of the command of that kind.
type Outcome struct {
	Code    int
	Skipped bool // it could not be done here; Message says why
	Message string
	Rest    []Moment // that nobody has asked for yet
}

// The calls of a child.
const (
	callRun     = "run"
	callMoments = "moments"
)

// Work carries an order out and tells what happens, from any goroutine.
type Work func(ctx context.Context, o Order, tell func(Moment)) (Outcome, error)

// Serve is the body of the child: it carries out the one order that its parent
// gives it, and returns when it is told to end or the parent is gone.
func Serve(ctx context.Context, work Work) error {
	t := &told{more: make(chan struct{}, 1)}
	return supervise.Serve(ctx, supervise.FD, map[string]supervise.Handler{
		callRun: supervise.Handle(func(ctx context.Context, o Order) (Outcome, error) {
			out, err := work(ctx, o, t.add)
			if err != nil {
				out = Outcome{Code: codeError, Message: err.Error()} // an error of the call would leave the rest out
			}
			out.Rest = t.take()
			return out, nil
		}),
		callMoments: supervise.Handle(func(ctx context.Context, _ struct{}) ([]Moment, error) { return t.wait(ctx), nil }),
	})
}

// mostTold is how many moments wait for the parent. It asks all the time.
const mostTold = 1000

// told are the moments on their way to the parent.
type told struct {
	more chan struct{}

	mu   sync.Mutex
	list []Moment
}

func (t *told) add(m Moment) {
	if m.At.IsZero() {
		m.At = time.Now()
	}
	t.mu.Lock()
	if len(t.list) < mostTold {
		t.list = append(t.list, m)
	}
	t.mu.Unlock()
	select {
	case t.more <- struct{}{}:
	default: // the parent has not looked since the last time
	}
}

func (t *told) take() []Moment {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := t.list
	t.list = nil
	return list
}

// patience is how long the parent's question waits for something to happen.
const patience = 5 * time.Second

func (t *told) wait(ctx context.Context) []Moment {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.more:
	case <-timer.C:
	case <-ctx.Done():
		return nil // the outcome brings what there is
	}
	return t.take()
}
