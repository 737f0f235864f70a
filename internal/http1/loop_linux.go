package http1

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/balancer"
)

const (
	requestBuffer = maxHome // what a loop carries fits into it
	headroom      = 4 << 10 // before what is read of an answer, for a head that grew
	answerBuffer  = 64 << 10
	tailroom      = 16 << 10 // behind it, for the end of a chunk and trailers
	maxFree       = 1024     // buffers and flights that are kept for later
	maxAccepts    = 64       // connections taken in a row
	maxTurns      = 4        // buffers of one answer moved in a row
	maxSteps      = 16       // reads and requests of one client in a row

	// quietTime is how long connections without a request are kept open after
	// another process took over: a client that is about to send must not find its
	// connection closed, and HTTP/1.1 has no way to say so but with an answer.
	quietTime = 5 * time.Second
)

// How a loop leaves.
const (
	stays uint32 = iota
	leavesGently
	leavesNow
)

// loop is one thread with all it needs. Only load, leaving, mu and what stands
// behind it are touched by others; bell does not change while the loop runs.
type loop struct {
	*Loops
	poll     poller
	start    time.Time
	now      time.Time
	listener int
	paused   bool // takes no connections
	cleared  bool // of connections that came before the listener was tuned: the others have its options
	eager    bool // events came in numbers
	spare    bool // there are processors enough for loops to keep theirs
	pace     pace
	slots    []slot
	all      []*loop // that share the listener
	number   uint32
	pools    map[*balancer.Instance]*pool
	wheel    *wheel
	sweeper  timer
	busy     []*upstream // have more to read than their turn allowed
	eagers   []*client   // so have these

	in      []byte // what is read of an answer; kept for the length of an event only
	head    []byte // a head that is written
	sealed  []byte // records that are written
	date    []byte
	dated   int64 // second of date
	buffers spares[[]byte]
	tails   spares[[]byte] // for what clients did not take, where a buffer is too small
	flights spares[*flight]
	sweeps  int // since the last trim of these

	shaking    int       // handshakes under way
	knocking   []*client // wait for theirs
	handshakes sync.WaitGroup

	parting  bool          // takes no connections; each ends with its next answer
	left     bool          // idle ones were closed
	deadline time.Duration // when all are, once parting

	load    atomic.Int32 // clients, also those on their way here
	leaving atomic.Uint32
	mu      sync.Mutex
	woken   []sleeper
	arrived []arrival
	shaken  []*client // their handshake has ended
	deaf    bool      // takes no arrivals any more
	bell    int       // an eventfd; negative: nobody hears it
}

// arrival is a connection another loop accepted, or one that was handed over
// and came back, perhaps with what was read of it.
type arrival struct {
	fd     int
	peer   netip.Addr
	back   bool
	early  []byte
	secure *secure // nil: its TLS has not begun, or it has none
}

// slot is what a descriptor is.
type slot struct {
	number uint32
	client *client
	up     *upstream
}

func (s *Loops) newLoop(ln *net.TCPListener) (*loop, error) {
	now := time.Now()
	l := &loop{
		Loops: s, start: now, now: now, pools: map[*balancer.Instance]*pool{}, wheel: newWheel(),
		in: make([]byte, headroom+answerBuffer+tailroom), listener: -1, bell: -1, poll: poller{fd: -1},
	}
	l.sweeper.fire = l.sweep
	if err := l.open(ln); err != nil {
		l.release()
		return nil, err
	}
	l.wheel.set(&l.sweeper, time.Second)
	return l, nil
}

func (l *loop) open(ln *net.TCPListener) (err error) {
	if l.poll.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	raw, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	if outer := raw.Control(func(fd uintptr) {
		l.listener, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); outer != nil {
		return outer
	}
	if err != nil {
		return err
	}
	tuneSocket(l.listener) // for those it accepts
	if err := l.poll.watch(l.bell, 0, unix.EPOLLIN|unix.EPOLLET); err != nil {
		return err
	}
	return l.listen()
}

// listen watches the listener: of all loops that sleep, one is woken.
func (l *loop) listen() error { return l.poll.watch(l.listener, 0, unix.EPOLLIN|unix.EPOLLEXCLUSIVE) }

// release closes what the loop itself opened, and what it did not get to.
func (l *loop) release() {
	l.handshakes.Wait() // there are some if the loop broke
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.arrived {
		_ = unix.Close(a.fd) // nothing was exchanged
	}
	for _, c := range l.shaken {
		_ = unix.Close(c.fd) // the loop broke meanwhile
	}
	l.arrived, l.shaken, l.deaf = nil, nil, true
	for _, fd := range []int{l.poll.fd, l.bell, l.listener} {
		if fd >= 0 {
			_ = unix.Close(fd) // nothing was written to it
		}
	}
	l.poll.fd, l.bell, l.listener = -1, -1, -1
}

// run returns when the loop was told to leave and its connections are closed.
func (l *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !l.ended() {
		events, err := l.next()
		if err != nil {
			l.closeAll()
			return err
		}
		for i := range events {
			l.handle(&events[i])
		}
		l.tick()
		l.finishTurns()
		if l.leaving.Load() != stays && !l.parting {
			l.part()
		}
		l.wheel.advance(l.now.Sub(l.start))
	}
	l.closeAll()
	return nil
}

// tick reads the clock. It is read for every event: what the machine learns of
// latencies must not depend on how many events came at once.
func (l *loop) tick() { l.now = time.Now() }

func (l *loop) after(d time.Duration) time.Duration { return l.now.Add(d).Sub(l.start) }

// patience is how long the loop may sleep, in milliseconds.
func (l *loop) patience() int {
	if len(l.busy)+len(l.eagers) > 0 || l.leaving.Load() != stays && !l.parting {
		return 0
	}
	d := l.wheel.wait(l.now.Sub(l.start))
	if d < 0 {
		return -1
	}
	return int((d + time.Millisecond - 1) / time.Millisecond)
}

func (l *loop) handle(e *unix.EpollEvent) {
	fd := int(e.Fd)
	l.tick()
	switch fd {
	case l.listener:
		l.accept()
		return
	case l.bell:
		l.answerBell()
		return
	}
	if fd >= len(l.slots) || l.slots[fd].number != uint32(e.Pad) {
		return // of a connection that is closed
	}
	switch s := &l.slots[fd]; {
	case s.client != nil:
		s.client.event(e.Events)
	case s.up != nil:
		s.up.event(e.Events)
	}
}

// add begins to watch a descriptor.
func (l *loop) add(fd int, c *client, u *upstream) error {
	for fd >= len(l.slots) {
		l.slots = append(l.slots, slot{})
	}
	l.number++
	if err := l.poll.watch(fd, l.number, pollEdges); err != nil {
		return err
	}
	l.slots[fd] = slot{l.number, c, u}
	return nil
}

func (l *loop) drop(fd int) {
	l.slots[fd] = slot{}
	closeSocket(fd)
}

func (l *loop) accept() {
	for range maxAccepts {
		if l.full() {
			l.pause()
			return
		}
		fd, peer, err := acceptSocket(l.listener)
		switch err { //nolint:exhaustive // default has the rest
		case 0:
			if !l.cleared {
				tuneSocket(fd)
			}
			l.place(fd, peer)
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			l.cleared = true
			return
		default: // no descriptor or no memory left: it would be reported again at once
			l.pause()
			return
		}
	}
}

func (l *loop) full() bool { return int(l.load.Load()) >= l.config.Connections }

// place gives a new connection to the loop that has the fewest.
func (l *loop) place(fd int, peer netip.Addr) {
	to, a := l.idlest(), arrival{fd: fd, peer: peer}
	to.load.Add(1)
	if to != l {
		if to.receive(a) {
			return
		}
		to.load.Add(-1)
		l.load.Add(1)
	}
	l.welcome(&a)
}

// idlest is the loop that has the fewest connections.
func (l *loop) idlest() *loop {
	to := l
	for _, other := range l.all {
		if other.load.Load() < to.load.Load() {
			to = other
		}
	}
	return to
}

// receive may be called by anybody; false: this loop is leaving.
func (l *loop) receive(a arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deaf || l.leaving.Load() != stays {
		return false
	}
	l.arrived = append(l.arrived, a)
	if len(l.arrived) == 1 {
		l.ring()
	}
	return true
}

// welcome begins with a connection that load counts already.
func (l *loop) welcome(a *arrival) {
	c := newClient(l, a.fd, a.peer)
	if a.secure != nil {
		c.state, c.secure = reading, a.secure
		a.secure.comesHome(a.fd)
	}
	if l.left && len(a.early) == 0 || l.add(a.fd, c, nil) != nil {
		_ = unix.Close(a.fd) // nothing was exchanged
		l.load.Add(-1)
		return
	}
	if l.left {
		c.lastCall = l.deadline
	}
	limit := l.config.HeaderTimeout
	if a.back && len(a.early) == 0 {
		limit = l.config.IdleTimeout
	}
	c.setTimer(l.after(limit))
	if len(a.early) > 0 || a.secure != nil {
		c.welcomeBack(a.early)
	}
}

// pause stops taking connections until the next sweep.
func (l *loop) pause() {
	if !l.paused {
		l.paused = true
		l.poll.forget(l.listener)
	}
}

// sweep runs once a second.
func (l *loop) sweep() {
	l.wheel.set(&l.sweeper, l.after(time.Second))
	if l.paused && !l.parting && !l.full() {
		l.paused = l.listen() != nil
	}
	if l.parting && !l.left && (l.now.Sub(l.start) >= l.deadline || l.now.UnixNano()-l.moved.Load() > int64(quietTime)) {
		l.closeIdle()
	}
	for instance, p := range l.pools {
		if p.sweep(); p.forget() {
			delete(l.pools, instance)
		}
	}
	if l.sweeps++; l.sweeps == trimEvery {
		l.sweeps = 0
		l.buffers.trim()
		l.tails.trim()
		l.flights.trim()
	}
}

// today returns the Date of answers.
func (l *loop) today() []byte {
	if s := l.now.Unix(); s != l.dated {
		l.dated = s
		l.date = AppendDate(l.date[:0], l.now)
	}
	return l.date
}

func (l *loop) finishTurns() {
	for range len(l.busy) {
		u := l.busy[0]
		l.busy = append(l.busy[:0], l.busy[1:]...)
		u.waits = false
		u.event(0)
	}
	list := l.eagers
	l.eagers = nil
	for _, c := range list {
		if c.eager = false; c.state != gone {
			l.tick()
			c.event(0)
		}
	}
}

// sleeper is what others may wake.
type sleeper interface{ wakeUp() }

// wake may be called by anybody, also when the loop has ended.
func (l *loop) wake(s sleeper) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = append(l.woken, s)
	if len(l.woken) == 1 {
		l.ring()
	}
}

// ring interrupts the loop's sleep. The caller holds mu.
func (l *loop) ring() {
	if l.bell >= 0 {
		one := [8]byte{1}
		_, _ = unix.Write(l.bell, one[:]) // full: it has been rung
	}
}

func (l *loop) answerBell() {
	var b [8]byte
	_, _ = readSocket(l.bell, b[:])
	l.mu.Lock()
	list, arrived, shaken := l.woken, l.arrived, l.shaken
	l.woken, l.arrived, l.shaken = nil, nil, nil
	l.mu.Unlock()
	for _, a := range arrived {
		l.welcome(&a)
	}
	for _, c := range shaken {
		c.shook()
	}
	for _, s := range list {
		s.wakeUp()
	}
}

func (l *loop) closeAll() {
	for fd := range l.slots {
		switch s := &l.slots[fd]; {
		case s.client != nil:
			s.client.abandon()
		case s.up != nil:
			s.up.close()
		}
	}
}

func (l *loop) buffer() []byte {
	if b, found := l.buffers.take(); found {
		return b
	}
	return make([]byte, requestBuffer)
}

func (l *loop) putBuffer(b []byte) { l.buffers.put(b, maxFree) }

func (l *loop) flight(c *client) *flight {
	f, found := l.flights.take()
	if !found {
		f = &flight{loop: l}
	}
	f.client, f.attempt = c, noAttempt
	f.request.Reset(l.config.Limits)
	return f
}

func (l *loop) putFlight(f *flight) {
	f.reset()
	l.flights.put(f, maxFree)
}
