package alerting

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/store/spool"
)

// queue holds what a channel has not taken yet, on disk. Its lanes are the
// severities, so that the least important is dropped first when it is full; what
// is sent next is the oldest of all. Where its directory cannot be had it works
// in memory until that can: nobody goes untold because of a disk. Safe for
// concurrent use.
type queue struct {
	dir, name string
	wake      chan struct{}

	mu      sync.Mutex // guards what follows, and keeps records in their order
	spool   *spool.Spool
	number  uint64
	memory  []record // while there is no spool
	dropped uint64   // of memory
	damaged bool     // what an earlier process left could not be read as a whole
}

// record is a notification in the queue.
type record struct {
	Number       uint64               `json:"number"`
	Notification channel.Notification `json:"notification"`
}

const (
	queueBytes   = 8 << 20
	queueReserve = 64 << 10
	// queueMemory is how many notifications wait in memory while there is no spool.
	queueMemory = 500
)

// lanes are in the order in which they are dropped.
func lanes() []string { return []string{"info", "warning", "critical"} }

// openQueue makes a queue, also where the error says that its directory cannot
// be had: then it is in memory, and open tries again.
func openQueue(dir, name string, number uint64) (*queue, error) {
	// Numbers go on from the time, or from the last one that was given where the
	// clock was set back since.
	number = max(number, uint64(time.Now().UnixNano()))
	q := &queue{dir: filepath.Join(dir, name), name: name, wake: make(chan struct{}, 1), number: number}
	return q, q.open()
}

// open takes the directory if it does not have it yet, and moves there what
// waited in memory.
func (q *queue) open() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool != nil {
		return nil
	}
	s, err := spool.Open(spool.Config{Dir: q.dir, Lanes: lanes(), MaxBytes: queueBytes, ReserveBytes: queueReserve})
	if err != nil {
		return fmt.Errorf("open the queue of channel %s: %w", q.name, err)
	}
	q.spool = s
	q.damaged = s.Stats().Damaged > 0
	for i := range q.memory {
		err = errors.Join(err, q.putRecord(&q.memory[i]))
	}
	q.memory = nil
	return err
}

// put keeps a notification. An error says that it is in memory only, or dropped.
func (q *queue) put(n *channel.Notification) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.rouse()
	q.number++
	r := record{q.number, *n}
	if q.spool != nil {
		return q.putRecord(&r)
	}
	if len(q.memory) == queueMemory {
		worst := 0
		for i := range q.memory {
			if laneOf(&q.memory[i].Notification) < laneOf(&q.memory[worst].Notification) {
				worst = i
			}
		}
		q.memory = slices.Delete(q.memory, worst, worst+1)
		q.dropped++
	}
	q.memory = append(q.memory, r)
	return errNoQueue
}

var errNoQueue = errors.New("keep notification: the queue's directory cannot be had")

func (q *queue) putRecord(r *record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep notification: %w", err)
	}
	if err = q.spool.Append(laneOf(&r.Notification), [][]byte{b}); err == nil {
		err = q.spool.Sync()
	}
	return err
}

// flush puts on disk what the disk did not take before. An error says that
// something still is in memory only.
func (q *queue) flush() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.spool == nil && len(q.memory) > 0:
		return errNoQueue
	case q.spool == nil || q.spool.Stats().Memory == 0:
		return nil
	}
	return errors.Join(q.spool.Flush(), q.spool.Sync())
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool != nil {
		_ = q.spool.Close() // all that was put is on the disk
	}
}

// rouse wakes who delivers.
func (q *queue) rouse() {
	select {
	case q.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}

func laneOf(n *channel.Notification) int {
	worst := rank(channel.Info)
	for i := range n.Alerts {
		worst = min(worst, rank(n.Alerts[i].Severity))
	}
	return len(lanes()) - 1 - worst
}

// head returns the oldest notification; nil: there is none. Done takes it away.
func (q *queue) head() (n *channel.Notification, done func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool == nil {
		return q.headInMemory()
	}
	var oldest record
	var from spool.Batch
	for lane := range lanes() {
		batch, err := q.spool.Next(lane, 1, spool.MaxRecord)
		if err != nil {
			return nil, nil, fmt.Errorf("read the queue: %w", err)
		}
		if len(batch.Records) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(batch.Records[0], &r); err != nil {
			q.spool.Done(batch) // nobody will ever read it
			return nil, nil, fmt.Errorf("read the queue: %w", err)
		}
		if oldest.Number == 0 || r.Number < oldest.Number {
			oldest, from = r, batch
		}
	}
	if oldest.Number == 0 {
		return nil, nil, nil
	}
	return &oldest.Notification, func() { q.spool.Done(from) }, nil
}

func (q *queue) headInMemory() (n *channel.Notification, done func(), err error) {
	if len(q.memory) == 0 {
		return nil, nil, nil
	}
	first := q.memory[0] // a copy: it may move
	return &first.Notification, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.memory = slices.DeleteFunc(q.memory, func(r record) bool { return r.Number == first.Number })
	}, nil
}

// wasDamaged says once that what an earlier process left could not all be read.
func (q *queue) wasDamaged() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := q.damaged
	q.damaged = false
	return was
}

// last is the highest number that was given.
func (q *queue) last() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.number
}

// size returns how many wait, and how many were dropped since the start.
func (q *queue) size() (waiting int, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, dropped = len(q.memory), q.dropped
	if q.spool == nil {
		return waiting, dropped
	}
	s := q.spool.Stats()
	for i := range s.Records {
		waiting += s.Records[i]
		dropped += s.Dropped[i]
	}
	return waiting, dropped
}
