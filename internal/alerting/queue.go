package alerting

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/store/spool"
)

// queue holds what a channel has not taken yet, on disk. Its lanes are the
// severities, so that the least important is dropped first when it is full; what
// is sent next is the oldest of all. Safe for concurrent use.
type queue struct {
	spool *spool.Spool
	wake  chan struct{}

	mu     sync.Mutex // guards number, and keeps records in its order
	number uint64
}

// record is a notification in the queue.
type record struct {
	Number       uint64               `json:"number"`
	Notification channel.Notification `json:"notification"`
}

const (
	queueBytes   = 8 << 20
	queueReserve = 64 << 10
)

// lanes are in the order in which they are dropped.
func lanes() []string { return []string{"info", "warning", "critical"} }

func openQueue(dir, name string) (*queue, error) {
	s, err := spool.Open(spool.Config{Dir: filepath.Join(dir, name), Lanes: lanes(), MaxBytes: queueBytes, ReserveBytes: queueReserve})
	if err != nil {
		return nil, fmt.Errorf("open the queue of channel %s: %w", name, err)
	}
	// Numbers go on from the time, which is ahead of all that were given.
	return &queue{spool: s, wake: make(chan struct{}, 1), number: uint64(time.Now().UnixNano())}, nil
}

// put keeps a notification. An error says that it is in memory only, or dropped.
func (q *queue) put(n *channel.Notification) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.number++
	b, err := json.Marshal(record{q.number, *n})
	if err != nil {
		return fmt.Errorf("keep notification: %w", err)
	}
	err = q.spool.Append(laneOf(n), [][]byte{b})
	if err == nil {
		err = q.spool.Sync()
	}
	select {
	case q.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
	return err
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

// size returns how many wait, and how many were dropped since the start.
func (q *queue) size() (waiting int, dropped uint64) {
	s := q.spool.Stats()
	for i := range s.Records {
		waiting += s.Records[i]
		dropped += s.Dropped[i]
	}
	return waiting, dropped
}
