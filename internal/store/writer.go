package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"holdfast/internal/store/spool"
)

const (
	batchFacts  = 256
	batchBytes  = 1 << 20
	batchStates = 256
)

// runWriter moves states and spooled facts into the store. It is the only goroutine that decides whether the store is up.
func (o *Outbox) runWriter(ctx context.Context) {
	w := writer{o: o, delay: o.cfg.RetryBase, wait: time.NewTimer(0)}
	defer w.wait.Stop()
	for {
		select {
		case <-ctx.Done():
			w.lastTry(context.WithoutCancel(ctx))
			return
		case <-o.sent:
			if o.condition.Load().is != Up {
				continue // the timer says when it is asked again
			}
		case <-w.wait.C:
		}
		w.turn(ctx)
	}
}

// writer is the state of runWriter.
type writer struct {
	o      *Outbox
	ready  bool // the tables are there
	unread bool // the spool could not be read, and that was told
	asked  time.Time
	delay  time.Duration // of the next try during an outage
	wait   *time.Timer
}

// turn does what there is to do, and sets the timer for the next turn.
func (w *writer) turn(ctx context.Context) {
	err := w.work(ctx)
	if ctx.Err() != nil {
		return // asked to stop in the middle
	}
	w.judge(err)
	if err == nil {
		w.delay = w.o.cfg.RetryBase
		w.wait.Reset(w.o.cfg.FlushEvery)
		return
	}
	// Full jitter on the upper half: several nodes must not come back in step.
	w.wait.Reset(w.delay/2 + rand.N(w.delay/2+1))
	w.delay = min(2*w.delay, w.o.cfg.RetryMax)
}

// work returns nil, or why the store cannot serve.
func (w *writer) work(ctx context.Context) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.writeStates(ctx); err != nil {
		return err
	}
	for k := Kinds; k > 0; {
		k--
		if err := w.writeFacts(ctx, k); err != nil {
			return err
		}
	}
	if time.Since(w.asked) < w.o.cfg.PingEvery {
		return nil
	}
	return w.ask(ctx, w.o.to.Ping)
}

// prepare makes the tables once. It also learns the newest stamp, so that a clock set back does no harm.
func (w *writer) prepare(ctx context.Context) error {
	if w.ready {
		return nil
	}
	// Creating tables on a busy server may take longer than writing a batch.
	limited, cancel := context.WithTimeout(ctx, 6*w.o.cfg.Timeout)
	defer cancel()
	if err := w.o.to.Migrate(limited); err != nil {
		return err
	}
	err := w.ask(ctx, func(ctx context.Context) error {
		at, err := w.o.to.LatestStamp(ctx)
		w.o.states.raise(at)
		return err
	})
	w.ready = err == nil
	return err
}

// ask calls the store with the deadline of a batch.
func (w *writer) ask(ctx context.Context, call func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, w.o.cfg.Timeout)
	defer cancel()
	err := call(limited)
	if err == nil {
		w.asked = time.Now()
	}
	return err
}

// judge keeps Health's condition.
func (w *writer) judge(err error) {
	was, now := w.o.condition.Load(), time.Now()
	switch {
	case err == nil && was.is != Up:
		w.o.condition.Store(&condition{is: Up, since: now})
		w.o.tell(Notice{At: now, Kind: StoreUp})
	case err != nil && was.is != Down:
		w.o.condition.Store(&condition{is: Down, since: now, reason: err.Error()})
		w.o.tell(Notice{At: now, Kind: StoreDown, Reason: err.Error()})
	case err != nil && was.reason != err.Error():
		w.o.condition.Store(&condition{is: Down, since: was.since, reason: err.Error()})
	}
}

func (w *writer) writeFacts(ctx context.Context, k Kind) error {
	for ctx.Err() == nil {
		batch, err := w.o.spool.Next(int(k), batchFacts, batchBytes)
		if err != nil {
			w.tellUnread(err)
			return nil // the disk's trouble; the store may still take other kinds
		}
		w.unread = false
		if len(batch.Records) == 0 {
			return nil
		}
		if err := w.deliver(ctx, k, batch); err != nil {
			return err
		}
		w.o.spool.Done(batch)
		w.o.publishStats()
	}
	return ctx.Err()
}

// tellUnread reports a spool that cannot be read, once.
func (w *writer) tellUnread(err error) {
	if !w.unread {
		w.unread = true
		w.o.tell(Notice{At: time.Now(), Kind: SpoolDamaged, Reason: err.Error()})
	}
}

// deliver stores a batch. When the store refuses it for good, each fact is tried alone: one bad fact must not hold up the
// others for ever.
func (w *writer) deliver(ctx context.Context, k Kind, batch spool.Batch) error {
	facts := make([]Fact, 0, len(batch.Records))
	for _, r := range batch.Records {
		f, err := decodeFact(k, r)
		if err != nil {
			w.o.reject(k.String(), err)
			continue
		}
		facts = append(facts, f)
	}
	err := eachIfRejected(facts, func(some []Fact) error {
		return w.ask(ctx, func(ctx context.Context) error { return w.o.to.AppendFacts(ctx, some) })
	}, func(f Fact, err error) { w.o.reject(k.String()+" "+f.FactID().String(), err) })
	if err == nil {
		w.o.delivered[k].Add(uint64(len(facts)))
	}
	return err
}

func (w *writer) writeStates(ctx context.Context) error {
	for states := range slices.Chunk(w.o.states.all(), batchStates) {
		err := eachIfRejected(states, func(some []State) error {
			return w.ask(ctx, func(ctx context.Context) error { return w.o.to.SaveStates(ctx, some) })
		}, func(s State, err error) { w.o.reject("state "+s.Key(), err) })
		if err != nil {
			return err
		}
		w.o.states.done(states, time.Now())
	}
	return nil
}

// eachIfRejected stores all at once, or one by one when the whole is refused. It returns why the store is unavailable.
func eachIfRejected[T any](all []T, store func([]T) error, refused func(T, error)) error {
	err := store(all)
	if !errors.Is(err, ErrRejected) {
		return err
	}
	for i := range all {
		err := store(all[i : i+1])
		switch {
		case errors.Is(err, ErrRejected):
			refused(all[i], err)
		case err != nil:
			return err
		}
	}
	return nil
}

// lastTry gives the store one chance to take what is left.
func (w *writer) lastTry(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if w.o.condition.Load().is != Down {
		w.judge(w.work(limited))
	}
	w.o.states.persist(0, time.Now()) // the spooler, whose file it is, has ended
}
