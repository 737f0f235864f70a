package storetest

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

// Outage is a store that can be broken and mended.
type Outage struct {
	Store       store.Store
	Break, Mend func()
	// Spool is where the outbox spools; empty: in a directory of its own. On a disk that is full as well, the outage goes
	// on until the space is used up that was kept for facts, and some are in memory only.
	Spool string
	// Child is the environment in which this test binary, started again, opens the same store in RunChild.
	Child []string
}

// Start runs an outbox until the test ends. stop ends it before.
func Start(t *testing.T, s store.Receiver, c store.OutboxConfig) (o *store.Outbox, stop func()) {
	t.Helper()
	o, err := store.NewOutbox(s, c)
	ok(t, err)
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // it ends in a cleanup, after t.Context
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := o.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return o, stop
}

// Eventually waits for a condition, at most a minute.
func Eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !condition(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after a minute it is still not so: %s", what)
		}
	}
}

// RunOutage breaks the store in the middle, for as long as outage, and looks for what was promised: callers are not held
// up, commands are refused in time, facts are complete, and states are the latest.
func RunOutage(t *testing.T, h Outage, outage time.Duration) {
	t.Helper()
	o, _ := Start(t, h.Store, store.OutboxConfig{Dir: cmp.Or(h.Spool, t.TempDir())})
	led := &ledger{o: o}
	led.record(t, 200)
	ok(t, o.Keep(OpenBreaker("api", time.Time{})))
	Eventually(t, "the first facts are stored", func() bool { return o.Health().Delivered[store.KindAction] == 200 })

	h.Break()
	broken := time.Now()
	led.record(t, 100)
	wantRefused(t, h.Store)
	pace := time.NewTicker(40 * time.Millisecond) // 500 facts a second
	defer pace.Stop()
	for over := false; !over; over = time.Since(broken) >= outage { // once at least, however long it took to be refused
		led.record(t, 20)
		ok(t, o.Keep(store.Breaker{Function: "api", State: "half_open", FailureCount: len(led.ids)}))
		if err := o.Sync(t.Context()); err != nil && h.Spool == "" {
			t.Fatalf("sync: %v", err)
		}
		<-pace.C
	}
	if h.Spool != "" {
		led.recordUntil(t, func() bool { return o.Sync(t.Context()) != nil })
	}
	Eventually(t, "the store is known to be down", func() bool { return o.Health().Condition == store.Down })
	if st := o.Health(); st.Reason == "" || st.Spooled == 0 || st.States == 0 || (st.OnlyInMemory > 0) != (h.Spool != "") || (st.SpoolReason != "") != (h.Spool != "") {
		t.Errorf("health during the outage %+v", st)
	}
	ok(t, o.Keep(store.Breaker{Function: "api", State: "open", FailureCount: len(led.ids)}))
	led.wantQuick(t)

	h.Mend()
	Eventually(t, "all is stored", func() bool {
		st := o.Health()
		return st.Condition == store.Up && st.Spooled == 0 && st.Queued == 0 && st.States == 0
	})
	wantExactly(t, h.Store, led.ids)
	got := must[[]store.Breaker](t)(h.Store.Breakers(t.Context()))
	if len(got) != 1 || got[0].State != "open" || got[0].FailureCount != len(led.ids) {
		t.Errorf("breaker %+v, want the last state", got)
	}
	if st := o.Health(); st.Lost() != 0 || st.Rejected != 0 {
		t.Errorf("health afterwards %+v", st)
	}
}

// ledger records facts and how long that took.
type ledger struct {
	o    *store.Outbox
	ids  []uuid.UUID
	took []time.Duration
}

func (l *ledger) record(t *testing.T, n int) {
	t.Helper()
	for range n {
		a := Action("api")
		begin := time.Now()
		err := l.o.Record(a)
		l.took = append(l.took, time.Since(begin))
		ok(t, err)
		l.ids = append(l.ids, a.ID)
	}
}

// recordUntil records until something holds, which takes less than a spool's worth of facts.
func (l *ledger) recordUntil(t *testing.T, holds func() bool) {
	t.Helper()
	for before := len(l.ids); !holds(); l.record(t, 20) {
		if len(l.ids)-before > 10_000 {
			t.Fatal("10,000 facts later it is still not so")
		}
	}
}

// wantQuick wants recording to take no time. One call in a hundred may meet whatever else a busy machine does, but most do
// not, however busy it is: half of the calls within a millisecond is a hundred times what they need, and a thousandth of
// what the store's deadline would cost who waited for it. That none waits is shown without a clock, in the tests of Outbox.
func (l *ledger) wantQuick(t *testing.T) {
	t.Helper()
	slices.Sort(l.took)
	p50, p99 := l.took[len(l.took)/2], l.took[len(l.took)*99/100]
	t.Logf("%d facts recorded, p50 %v, p99 %v, longest %v", len(l.took), p50, p99, l.took[len(l.took)-1])
	if p50 > time.Millisecond || p99 > 100*time.Millisecond {
		t.Errorf("recording a fact took %v at the median, %v at the 99th percentile", p50, p99)
	}
}

// wantRefused wants a command to be refused, not to hang.
func wantRefused(t *testing.T, s store.Store) {
	t.Helper()
	begin := time.Now()
	err := s.Audit(t.Context(), store.AuditEntry{Action: "during.outage", Actor: by()})
	wantError(t, err, store.ErrUnavailable)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("a command was refused after %v", took)
	}
}

// wantExactly wants the store to hold these scaling actions, each once, and no others.
func wantExactly(t *testing.T, s store.Store, ids []uuid.UUID) {
	t.Helper()
	have := map[uuid.UUID]int{}
	for q := (store.Query{Limit: 1000}); ; {
		page := must[[]store.ScalingAction](t)(s.ScalingActions(t.Context(), q))
		for _, a := range page {
			have[a.ID]++
		}
		if len(page) < 1000 {
			break
		}
		q.Before = page[len(page)-1].ID
	}
	missing := 0
	for _, id := range ids {
		switch have[id] {
		case 0:
			missing++
		case 1:
		default:
			t.Errorf("fact %s is stored %d times", id, have[id])
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d facts are missing", missing, len(ids))
	}
}

// childDir names the environment variable by which RunChild knows that it is the child.
const childDir = "HOLDFAST_STORETEST_DIR"

// RunChild is the writing process of RunKills: TestMain calls it first. It returns when this is not the child.
func RunChild(open func() (store.Store, error)) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	fmt.Fprintln(os.Stderr, child(dir, open))
	os.Exit(1)
}

// child records facts until it is killed, or returns why it cannot, and prints the ids of those that are in the spool.
func child(dir string, open func() (store.Store, error)) error {
	s, err := open()
	if err != nil {
		return err
	}
	o, err := store.NewOutbox(s, store.OutboxConfig{Dir: dir})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go o.Run(ctx) // ends with the process, which is the point
	pace := time.NewTicker(2 * time.Millisecond)
	for i := 0; ; i++ {
		<-pace.C
		var said []byte
		for range 1 + i%7 {
			a := Action("child")
			if err := o.Record(a); err != nil {
				return err
			}
			said = append(said, a.ID.String()+"\n"...)
		}
		if err := o.Keep(store.Breaker{Function: "child", State: "open", FailureCount: i}); err != nil {
			return err
		}
		if err := o.Sync(ctx); err != nil {
			return err
		}
		if _, err := os.Stdout.Write(said); err != nil {
			return err
		}
	}
}

// RunKills kills the writing process a number of times while the store is down. This process keeps the ledger: every fact
// the child said was safe must be in the store afterwards, once.
func RunKills(t *testing.T, h Outage, kills int) {
	t.Helper()
	ok(t, h.Store.Migrate(t.Context()))
	dir := t.TempDir()
	h.Break()
	var ids []uuid.UUID
	states := filepath.Join(dir, "states.json")
	for n := range kills {
		// The last one lives until it has kept its states as well.
		ids = append(ids, runChild(t, dir, h.Child, 40+(n*61)%150, func() bool { return n < kills-1 || exists(states) })...)
	}
	h.Mend()
	ids = append(ids, runChild(t, dir, h.Child, 300, func() bool { return true })...) // and once while the store is up
	o, _ := Start(t, h.Store, store.OutboxConfig{Dir: dir})
	Eventually(t, "all is stored", func() bool {
		st := o.Health()
		return st.Condition == store.Up && st.Spooled == 0 && st.States == 0
	})
	t.Logf("%d facts acknowledged over %d kills", len(ids), kills+1)
	wantExactly(t, h.Store, ids)
	if b := must[[]store.Breaker](t)(h.Store.Breakers(t.Context())); len(b) != 1 || b[0].State != "open" {
		t.Errorf("breakers %+v, want the child's open one", b)
	}
	if st := o.Health(); st.Lost() != 0 || st.Damaged != 0 {
		t.Errorf("health afterwards %+v", st)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// runChild kills the child once it has acknowledged a number of facts, and more holds; it returns all that it acknowledged.
func runChild(t *testing.T, dir string, env []string, facts int, more func() bool) (ids []uuid.UUID) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), env...), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		id, err := uuid.Parse(lines.Text())
		if err != nil {
			break // a line cut by the kill was not an acknowledgement
		}
		if ids = append(ids, id); !killed && len(ids) >= facts && more() {
			killed = true
			ok(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	if len(ids) < facts {
		t.Fatalf("the child ended after %d of %d facts", len(ids), facts)
	}
	return ids
}
