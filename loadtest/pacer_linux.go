package loadtest

import (
	"context"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pacer waits for moments. Go's timers wake up with epoll's resolution of a millisecond. A timerfd is exact, and epoll
// reports it like any connection: the thread that waits for answers waits for it too, and no other has to be woken.
type pacer struct {
	file *os.File // nil: by Go's timers
	raw  syscall.RawConn
	wait func(fd uintptr) bool

	timer unix.ItimerSpec // of the sleep under way
	armed bool
}

// newPacer waits by Go's timers, which are later, and recorded, where the system gives it no timerfd.
func newPacer(how Pacing) *pacer {
	p := &pacer{}
	if how != Precise {
		return p
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return p
	}
	file := os.NewFile(uintptr(fd), "timerfd") //nolint:gosec // no file is negative
	if p.raw, err = file.SyscallConn(); err != nil {
		_ = file.Close()
		return p
	}
	p.file, p.wait = file, p.arm
	return p
}

func (p *pacer) close() {
	if p.file != nil {
		_ = p.file.Close()
	}
}

// until makes every sleep end at once when ctx does. Call the function it returns before close.
func (p *pacer) until(ctx context.Context) (stop func() bool) {
	if p.file == nil {
		return func() bool { return true } // sleep looks at ctx itself
	}
	return context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) })
}

func (p *pacer) sleep(ctx context.Context, d time.Duration) {
	if p.file == nil {
		sleep(ctx, d)
		return
	}
	p.timer.Value = unix.NsecToTimespec(int64(max(d, 1)))
	p.armed = false
	_ = p.raw.Read(p.wait) // woken early, the caller looks at the clock again
}

// arm sets the timer, the first time it is called in a sleep; the second time it has fired. To set it before the wait
// begins would miss one that fires in between. Setting it anew also forgets that it fired, so nobody has to read it. The call
// does not wait, so the scheduler is not told of it: see httpload's wire.
func (p *pacer) arm(fd uintptr) bool {
	fired := p.armed
	p.armed = true
	if fired {
		return true
	}
	_, _, err := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&p.timer)), 0, 0, 0)
	return err != 0
}
