package http1

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/retry"
)

// secondLook bounds the wait for fresh addresses of a name whose known ones all
// failed: others may be there to ask instead.
const secondLook = 250 * time.Millisecond

// headStart is what an address has before the next one is tried beside it (RFC
// 8305, 5); maxRacers are tried at a time, the latest.
const (
	headStart = 250 * time.Millisecond
	maxRacers = 4
)

// refresh takes over what was found of the name since.
func (p *pool) refresh() {
	seen := p.name.found.Load()
	if seen == p.seen {
		return
	}
	var good netip.AddrPort
	if len(p.addrs) > 0 {
		good = p.addrs[p.first]
	}
	p.seen, p.addrs = seen, nil // flights go on with the old list
	for _, a := range seen.addrs {
		p.addrs = append(p.addrs, netip.AddrPortFrom(a, p.at.addr.Port()))
	}
	p.first = max(0, slices.Index(p.addrs, good))
	p.idle = slices.DeleteFunc(p.idle, func(u *upstream) bool {
		moved := !slices.Contains(p.addrs, u.to)
		if moved {
			u.close()
		}
		return moved
	})
}

// renew has a name in use looked up from time to time.
func (p *pool) renew() {
	seen := p.name.found.Load()
	if seen == nil && len(p.waiting) > 0 ||
		seen != nil && p.loop.now.Sub(seen.at) > freshFor && p.loop.now.Sub(p.used) < freshFor {
		p.loop.names.ask(p.name, p)
	}
}

// old says whether a lookup could find something else than the last.
func (p *pool) old() bool {
	return p.name != nil && (p.seen == nil || p.loop.now.Sub(p.seen.at) > lookAfter)
}

// Wake implements exchange.Waker: there is news of the name.
func (p *pool) Wake() { p.loop.wake(p) }

// wakeUp is Wake on the loop's thread.
func (p *pool) wakeUp() {
	p.refresh()
	list := p.waiting
	p.waiting = nil
	for f := range list {
		if f.dial.pool == p && f.dial.waits { // it may have left while others went on
			f.found()
		}
	}
}

// dial is how far a flight is with its connection.
type dial struct {
	pool  *pool
	addrs []netip.AddrPort // to be tried in turn, from first
	first int
	tried int
	slow  []*upstream   // of those tried: they may still connect, before f.up or after
	until time.Duration // since the loop's start
	waits bool          // for addrs, among pool.waiting
	again bool          // addrs were looked for anew, because those known failed
}

// connect begins with a connection to the instance of the step; false: there is
// none to be had.
func (f *flight) connect(p *pool) bool {
	f.client.state = connecting
	until := min(f.loop.after(f.step.Connect), f.step.Until.Sub(f.loop.start))
	if p.name != nil {
		p.refresh()
	}
	f.dial = dial{pool: p, addrs: p.addrs, first: p.first, until: until}
	if len(p.addrs) == 0 && p.old() {
		f.await()
		return true
	}
	return f.connectNext() || f.lookAgain()
}

// await waits for the addresses of the instance.
func (f *flight) await() {
	p := f.dial.pool
	f.dial.waits = true
	if p.waiting == nil {
		p.waiting = map[*flight]bool{}
	}
	p.waiting[f] = true
	f.client.setTimer(f.dial.until)
	f.loop.names.ask(p.name, p)
}

// found goes on with what was found.
func (f *flight) found() {
	c, d := f.client, &f.dial
	defer c.guard()
	delete(d.pool.waiting, f)
	before := d.addrs
	d.waits, d.tried, d.first, d.addrs = false, 0, d.pool.first, d.pool.addrs
	if d.again { // the others have been tried
		d.first = 0
		d.addrs = slices.DeleteFunc(slices.Clone(d.addrs), func(a netip.AddrPort) bool { return slices.Contains(before, a) })
	}
	if !f.connectNext() {
		f.fail(retry.Unreachable, false)
	}
	c.pump()
}

// connectNext begins with the next address; false: there is none left, or no
// time.
func (f *flight) connectNext() bool {
	d := &f.dial
	now := f.loop.now.Sub(f.loop.start)
	for d.tried < len(d.addrs) && now < d.until {
		left := time.Duration(len(d.addrs) - d.tried)
		to := d.addrs[(d.first+d.tried)%len(d.addrs)]
		d.tried++
		u, err := d.pool.connect(to)
		if err != nil {
			continue
		}
		f.up, u.flight = u, f
		limit := d.until
		if left > 1 {
			limit = now + min(headStart, (d.until-now)/left)
		}
		f.client.setTimer(limit)
		return true
	}
	return false
}

// lookAgain has the name looked up whose addresses all failed: it may have
// moved. False: that would bring nothing new, or be too late.
func (f *flight) lookAgain() bool {
	d := &f.dial
	now := f.loop.now.Sub(f.loop.start)
	if d.again || now >= d.until || !d.pool.old() {
		return false
	}
	d.again = true
	d.until = min(d.until, now+secondLook)
	f.await()
	return true
}

// connected goes on once one of the connections is there or has failed.
func (f *flight) connected(u *upstream, events uint32) {
	if events&(unix.EPOLLOUT|pollGone) == 0 {
		return
	}
	d, failed := &f.dial, u.connectError() != nil
	i := slices.Index(d.slow, u)
	switch {
	case failed && i >= 0:
		d.slow = slices.Delete(d.slow, i, i+1)
		u.close()
		return
	case failed:
		f.drop()
		f.elsewhere()
		return
	case i >= 0:
		d.slow[i], f.up = f.up, u
	}
	f.dropSlow()
	u.connecting = false
	u.pool.first = max(0, slices.Index(u.pool.addrs, u.to))
	f.sendRequest()
}

// elsewhere goes on after an address that did not answer: with the next one, or
// with what is left of those before.
func (f *flight) elsewhere() {
	d := &f.dial
	if f.connectNext() {
		return
	}
	if last := len(d.slow) - 1; last >= 0 && f.loop.now.Sub(f.loop.start) < d.until {
		f.up, d.slow = d.slow[last], d.slow[:last]
		f.client.setTimer(d.until)
		return
	}
	f.dropSlow()
	if !f.lookAgain() {
		f.fail(retry.Unreachable, false)
	}
}

// connectLate is the end of the time for an address alone, for all, or for the
// name.
func (f *flight) connectLate() {
	d := &f.dial
	if d.waits {
		f.fail(retry.Unreachable, false)
		return
	}
	if len(d.slow) == maxRacers-1 {
		d.slow[0].close()
		d.slow = slices.Delete(d.slow, 0, 1)
	}
	d.slow, f.up = append(d.slow, f.up), nil
	f.elsewhere()
}

// dropSlow closes what lost.
func (f *flight) dropSlow() {
	for _, u := range f.dial.slow {
		u.close()
	}
	f.dial.slow = nil
}

// foreign is for an instance the loops cannot connect to: it came in place of
// another while the exchange waited. The second engine gets the request if no
// instance has heard of it, as if it had come now. False: it is too late.
func (f *flight) foreign() bool {
	if !f.x.Withdraw(f.loop.now) {
		return false
	}
	f.attempt = noAttempt
	f.client.handOver()
	return true
}
