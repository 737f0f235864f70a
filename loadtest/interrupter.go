package loadtest

import (
	"context"
	"sync"
)

// Interrupter gives a User its Interrupt where all that can block takes a context. The zero value is ready.
type Interrupter struct {
	mu     sync.Mutex
	cancel context.CancelFunc
}

// Begin returns the context of a Do. Call the function it returns when Do ends.
func (i *Interrupter) Begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	i.set(cancel)
	return ctx, func() {
		i.set(nil)
		cancel()
	}
}

func (i *Interrupter) set(cancel context.CancelFunc) {
	i.mu.Lock()
	i.cancel = cancel
	i.mu.Unlock()
}

// Interrupt ends the context of the Do that is under way. One that comes late finds none and does nothing.
func (i *Interrupter) Interrupt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cancel != nil {
		i.cancel()
	}
}
