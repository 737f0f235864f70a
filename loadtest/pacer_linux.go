package loadtest

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// pacer waits for moments. Go's timers wake up with epoll's resolution of a millisecond; nanosleep with the least slack
// is ten times closer and takes no more CPU.
type pacer struct{ precise bool }

// newPacer binds the calling goroutine to a thread when it is precise, so that the slack is that thread's only.
func newPacer(how Pacing) *pacer {
	p := &pacer{precise: how == Precise}
	if p.precise {
		runtime.LockOSThread()
		// With the usual slack of 50 µs when the kernel refuses: later, and recorded.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	}
	return p
}

// close leaves the thread bound: it ends with its goroutine, and the slack with it.
func (*pacer) close() {}

// nap bounds a wait that ctx cannot cut short.
const nap = 10 * time.Millisecond

func (p *pacer) sleep(ctx context.Context, d time.Duration) {
	if !p.precise {
		sleep(ctx, d)
		return
	}
	ts := unix.NsecToTimespec(int64(min(d, nap)))
	_ = unix.Nanosleep(&ts, nil) // woken early, the caller looks at the clock again
}
