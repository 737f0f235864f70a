package http1

import (
	"time"

	"golang.org/x/sys/unix"
)

// A loop to which events come in numbers is brisk and keeps its processor while
// it sleeps, for a moment: else the scheduler's watchdog takes it away and the
// loop has to find another, again and again. One that is not gives it back.
const (
	briskEvents = 8 // in a tick of the wheel, from which on a loop is brisk
	briskWait   = 2 // ms, the longest sleep with a processor
)

// pace is how a loop's events come.
type pace struct {
	tick   time.Duration // the wheel's, which events are counted for
	events int
	brisk  bool
}

// at counts events that came now, perhaps none, and says whether the loop was
// brisk in the last tick in which it ran.
func (p *pace) at(now time.Duration, events int) bool {
	if tick := now / wheelTick; tick != p.tick {
		p.brisk = p.events >= briskEvents
		p.tick, p.events = tick, 0
	}
	p.events += events
	return p.brisk
}

// next returns the next events. Looking first saves a busy loop the scheduler's
// part of waiting; it would only cost a loop whose events come one by one.
func (l *loop) next() (events []unix.EpollEvent, err error) {
	if l.eager {
		events, err = l.poll.look()
	}
	brisk := l.pace.at(l.now.Sub(l.start), len(events))
	if len(events) > 0 || err != nil {
		l.eager = len(events) > 2
		return events, err
	}
	if ms := l.patience(); l.spare && brisk {
		events, err = l.poll.doze(min(uint(ms), briskWait)) // without end is the greatest
	} else {
		events, err = l.poll.wait(ms)
	}
	l.pace.at(l.now.Sub(l.start), len(events))
	l.eager = len(events) > 2
	return events, err
}
