package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/store/spool"
)

// OutboxConfig configures an Outbox. Zero values are the defaults.
type OutboxConfig struct {
	Dir        string        // of the spool; required
	SpoolBytes int64         // most bytes of the spool; 64 MiB
	Queue      int           // most facts of a kind waiting for the disk; 4096
	States     int           // most keys of states waiting for the store; 65536
	SyncEvery  time.Duration // how often the spool is fsynced; 1 s
	FlushEvery time.Duration // how often states are written; 500 ms
	PingEvery  time.Duration // how often an idle store is asked whether it serves; 5 s
	Timeout    time.Duration // of one batch; 5 s
	RetryBase  time.Duration // first wait after an outage began, doubled up to RetryMax; 250 ms
	RetryMax   time.Duration // 5 s
	OnNotice   func(Notice)  // called by the goroutines of Run, outside locks; may be nil
	Remove     bool          // the spool's directory when Run ends and nothing is left in it
}

func (c OutboxConfig) withDefaults() OutboxConfig {
	c.SpoolBytes = cmp.Or(c.SpoolBytes, 64<<20)
	c.Queue = cmp.Or(c.Queue, 4096)
	c.States = cmp.Or(c.States, 65536)
	c.SyncEvery = cmp.Or(c.SyncEvery, time.Second)
	c.FlushEvery = cmp.Or(c.FlushEvery, 500*time.Millisecond)
	c.PingEvery = cmp.Or(c.PingEvery, 5*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.RetryBase = cmp.Or(c.RetryBase, 250*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, 5*time.Second)
	return c
}

// Receiver is what an Outbox needs of a Store.
type Receiver interface {
	AppendFacts(ctx context.Context, facts []Fact) error
	SaveStates(ctx context.Context, states []State) error
	LatestStamp(ctx context.Context) (time.Time, error)
	Migrate(ctx context.Context) error
	Ping(ctx context.Context) error
}

// Outbox takes facts and states without ever making the caller wait, and sees to it that they reach the store. Record and
// Keep work before, during and after Run; what is recorded after Run has returned stays in memory. Safe for concurrent
// use.
type Outbox struct {
	cfg    OutboxConfig
	to     Receiver
	spool  *spool.Spool
	states *latest

	mu      sync.Mutex // guards queues
	queues  [Kinds][]Fact
	dropped [Kinds]atomic.Uint64 // before the spool

	wake  chan struct{} // a queue has something
	sent  chan struct{} // the spool has something
	syncs chan chan error

	rejected  atomic.Uint64
	delivered [Kinds]atomic.Uint64
	condition atomic.Pointer[condition]
	stats     atomic.Pointer[spool.Stats]
	notices   notices
}

// condition is the part of Health that is about the store itself.
type condition struct {
	is     Condition
	since  time.Time
	reason string
}

// NewOutbox opens the spool with what an earlier process left in it. It does not touch the store.
func NewOutbox(to Receiver, c OutboxConfig) (*Outbox, error) {
	if c.Dir == "" {
		return nil, errors.New("open outbox: no directory")
	}
	c = c.withDefaults()
	var lanes []string
	for k := range Kinds {
		lanes = append(lanes, k.String())
	}
	sp, err := spool.Open(spool.Config{Dir: c.Dir, Lanes: lanes, MaxBytes: c.SpoolBytes})
	if err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	o := &Outbox{
		cfg: c, to: to, spool: sp, states: newLatest(c.Dir, c.States),
		wake: make(chan struct{}, 1), sent: make(chan struct{}, 1), syncs: make(chan chan error),
	}
	o.condition.Store(&condition{since: time.Now()})
	o.publishStats()
	if err := o.states.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open outbox: %w", err), sp.Close())
	}
	return o, nil
}

// Record takes a fact. It never waits. An error says that the fact was not taken: ErrFull when too many wait for the disk
// (counted in Health.Dropped), or what is wrong with it.
func (o *Outbox) Record(f Fact) error {
	if err := f.Validate(); err != nil {
		return fmt.Errorf("record fact: %w", err)
	}
	k := f.FactKind()
	if !o.enqueue(k, f) {
		o.dropped[k].Add(1)
		return fmt.Errorf("record fact: %w", ErrFull)
	}
	signal(o.wake)
	return nil
}

func (o *Outbox) enqueue(k Kind, f Fact) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queues[k]) >= o.cfg.Queue {
		return false
	}
	o.queues[k] = append(o.queues[k], f)
	return true
}

// Keep takes a state; the newest of a key is written soon. It never waits. Leave the stamp zero for now; a given stamp
// stays. ErrFull says that too many keys wait.
func (o *Outbox) Keep(s State) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("keep state: %w", err)
	}
	if !o.states.put(s, time.Now()) {
		return fmt.Errorf("keep state: %w", ErrFull)
	}
	return nil
}

// Waiting returns the states that are not in the store yet, after a restart during an outage also those of the process
// before. Where a row of the store is older, they are what counts.
func (o *Outbox) Waiting() []State { return o.states.all() }

// Sync waits until all facts recorded before it are on disk and survive loss of power. It needs Run. An error says that
// they may not.
func (o *Outbox) Sync(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case o.syncs <- answer:
	case <-ctx.Done():
		return fmt.Errorf("sync outbox: %w", ctx.Err())
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("sync outbox: %w", ctx.Err())
	}
}

// Health returns how the store is. It never waits; its figures are at most a second old.
func (o *Outbox) Health() Health {
	c, st := o.condition.Load(), o.stats.Load()
	h := Health{
		Condition: c.is, Since: c.since, Reason: c.reason, SpoolBytes: st.Bytes, OnlyInMemory: st.Memory, Damaged: st.Damaged,
		Rejected: o.rejected.Load(), Queued: o.queued(),
	}
	h.States, h.StatesLost = o.states.size()
	if st.Refused != nil {
		h.SpoolReason = st.Refused.Error()
	}
	for k := range Kinds {
		h.Spooled += st.Records[k]
		h.Dropped[k] = st.Dropped[k] + o.dropped[k].Load()
		h.Delivered[k] = o.delivered[k].Load()
	}
	return h
}

func (o *Outbox) queued() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, q := range o.queues {
		n += len(q)
	}
	return n
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends; then it brings what is queued to disk, makes one last try at the store, and closes the spool.
// It returns nil; the store being down is no error. Run it once.
func (o *Outbox) Run(ctx context.Context) error {
	// The writer goes on until the spooler has brought the rest to disk.
	spooled, done := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done()
		o.runSpooler(ctx)
	})
	wg.Go(func() { o.runWriter(spooled) })
	wg.Wait()
	o.publishStats()
	o.notices.last = time.Time{} // what was held back is told now or never
	o.tellSpool()
	if n := o.stats.Load().Memory; n > 0 {
		o.tell(Notice{At: time.Now(), Kind: FactsDropped, Count: uint64(n), Reason: "the disk took no more, and this process ends"})
	}
	end := o.spool.Close
	if o.cfg.Remove {
		end = o.spool.Remove
	}
	if err := end(); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}
