package store

import (
	"context"
	"time"
)

// reserveTurns is how many syncs pass between two looks at whether a full disk has room again.
const reserveTurns = 5

// runSpooler moves facts from the queues to the spool.
func (o *Outbox) runSpooler(ctx context.Context) {
	every := time.NewTicker(o.cfg.SyncEvery)
	defer every.Stop()
	for turn := 1; ; {
		select {
		case <-ctx.Done():
			o.spoolQueues()
			_ = o.spool.Sync() // nobody is left to be told; what failed shows in Health
			return
		case <-o.wake:
			o.spoolQueues()
		case answer := <-o.syncs:
			o.spoolQueues()
			answer <- o.spool.Sync()
		case <-every.C:
			if turn++; turn%reserveTurns == 0 {
				_ = o.spool.Reserve()
			}
			_ = o.spool.Flush()
			_ = o.spool.Sync()
			o.states.persist(o.cfg.SyncEvery, time.Now())
		}
		o.publishStats()
		o.tellSpool()
	}
}

// spoolQueues brings all that is queued to the spool, the most valuable kind first.
func (o *Outbox) spoolQueues() {
	for k := Kinds; k > 0; {
		k--
		if facts := o.takeQueue(k); len(facts) > 0 {
			// A refusing disk is no reason to stop: the spool then holds the records in memory, and says so in Stats.
			_ = o.spool.Append(int(k), o.encodeAll(facts))
			signal(o.sent)
		}
	}
}

func (o *Outbox) takeQueue(k Kind) []Fact {
	o.mu.Lock()
	defer o.mu.Unlock()
	facts := o.queues[k]
	o.queues[k] = nil
	return facts
}

func (o *Outbox) encodeAll(facts []Fact) [][]byte {
	records := make([][]byte, 0, len(facts))
	for _, f := range facts {
		b, err := encodeFact(f)
		if err != nil {
			o.reject(f.FactKind().String(), err)
			continue
		}
		records = append(records, b)
	}
	return records
}

func (o *Outbox) publishStats() {
	st := o.spool.Stats()
	o.stats.Store(&st)
}

// tellSpool reports what changed in the spool.
func (o *Outbox) tellSpool() {
	h := o.Health()
	o.notices.spool(h, time.Now(), o.tell)
}

func (o *Outbox) tell(n Notice) {
	if o.cfg.OnNotice != nil {
		o.cfg.OnNotice(n)
	}
}

// reject counts something that will never be stored.
func (o *Outbox) reject(what string, err error) {
	o.rejected.Add(1)
	o.tell(Notice{At: time.Now(), Kind: FactRejected, Count: 1, Reason: what + ": " + err.Error()})
}

// notices remembers what was told. Used by the spooler only.
type notices struct {
	lost, damaged uint64
	refused       bool
	last          time.Time
}

func (n *notices) spool(h Health, now time.Time, tell func(Notice)) {
	if refused := h.SpoolReason != ""; refused != n.refused {
		n.refused = refused
		kind := SpoolAccepted
		if refused {
			kind = SpoolRefused
		}
		tell(Notice{At: now, Kind: kind, Reason: h.SpoolReason})
	}
	if now.Sub(n.last) < time.Second {
		return
	}
	if lost := h.Lost(); lost > n.lost {
		tell(Notice{At: now, Kind: FactsDropped, Count: lost - n.lost, Reason: "a bound of the queue or spool was reached"})
		n.lost, n.last = lost, now
	}
	if h.Damaged > n.damaged {
		tell(Notice{At: now, Kind: SpoolDamaged, Count: h.Damaged - n.damaged, Reason: "records could not be read back"})
		n.damaged, n.last = h.Damaged, now
	}
}
