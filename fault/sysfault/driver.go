package sysfault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/fault"
)

// Config is what a driver needs. Dir and Guard must be set.
type Config struct {
	Dir     string   // holds the journal; only one driver at a time uses it
	Guard   []string // the command whose body is [Guard]: this very program, under a hidden command; it gets no environment
	Events  int      // how many are kept: fault.DefaultEvents
	OnEvent func(fault.Event)
}

// ErrGuardLost is why a body's context ends when the guard process has: without it nothing may be injected.
var ErrGuardLost = errors.New("the guard of faults ended")

// MaxFaults is how many faults a driver holds at the same time.
const MaxFaults = 256

// mostPast is how many faults that were taken back are remembered, to look after what they left.
const mostPast = 1024

// Driver injects faults. Its methods may be called from any goroutine.
type Driver struct {
	log     *fault.Log
	journal *journal
	guard   *guard
	late    sync.WaitGroup // reverts of overdue faults

	mu     sync.Mutex // guards what follows
	closed bool
	active map[string]*injected
	order  []string
	past   []*injected // that were taken back, the last of them
}

// injected is a fault that is in force.
type injected struct {
	id, text string
	undo     undo
	timer    *time.Timer // takes it back when it is overdue
	once     sync.Once
	err      error // of taking it back
}

// Run takes back what an earlier driver in c.Dir left, starts the guard, and calls body. When body has returned, all
// faults that are still in force are taken back, last first, and the guard ends. The error joins those of body and of
// taking back. The context of body ends with ctx, or with the cause [ErrGuardLost].
func Run(ctx context.Context, c Config, body func(ctx context.Context, d *Driver) error) (err error) {
	if c.Dir == "" || len(c.Guard) == 0 {
		return errors.New("run faults: Dir and Guard must be set")
	}
	j, err := makeJournal(ctx, c.Dir)
	if err != nil {
		return err
	}
	defer j.close()
	d := &Driver{log: fault.NewLog(c.Events, c.OnEvent), journal: j, active: map[string]*injected{}}
	left, err := j.settle()
	for _, e := range left {
		d.note(e.Fault, "taken back: left by an earlier run")
	}
	if err != nil {
		return fmt.Errorf("run faults: %w", err)
	}
	if d.guard, err = startGuard(c.Guard, j.path); err != nil {
		return err
	}
	defer d.guard.stop()
	defer func() { err = errors.Join(err, d.revertAll()) }() // also when body panics
	return d.watched(ctx, body)
}

// Recover takes back what a driver left in dir, if there is no driver any more, and returns what it was. [Run] does so by
// itself; this is for whoever started a driver as a child and sees it end, in case that its guard was killed with it.
func Recover(ctx context.Context, dir string) (left []string, err error) {
	j, err := makeJournal(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer j.close()
	entries, err := j.settle()
	for _, e := range entries {
		left = append(left, e.Fault)
	}
	return left, err
}

// watched calls body with a context that ends when the guard does.
func (d *Driver) watched(ctx context.Context, body func(context.Context, *Driver) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-d.guard.ended:
			cancel(ErrGuardLost)
		case <-ctx.Done():
		}
	})
	err := body(ctx, d)
	cancel(nil)
	watch.Wait()
	if errors.Is(context.Cause(ctx), ErrGuardLost) && !errors.Is(err, ErrGuardLost) {
		err = errors.Join(err, ErrGuardLost)
	}
	return err
}

var (
	errClosed  = errors.New("the driver has ended")
	errAtMost  = errors.New("say how long it may last at most, up to 24h")
	errOwnDir  = errors.New("the journal of faults is in it, and would be out of the guard's sight")
	errTooMany = fmt.Errorf("%d faults are in force, no more are taken", MaxFaults)
)

// Inject injects f, which is taken back by revert, when the driver ends, or after atMost at the latest, whichever comes
// first. ctx bounds the injection alone: taking back is short, and not to be cut off. revert may be called more than once
// and says each time how it went. With an error nothing is injected; one that is [ErrUnsupported] says what the machine
// lacks.
func (d *Driver) Inject(ctx context.Context, f Fault, atMost time.Duration) (revert func() error, err error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	if atMost <= 0 || atMost > fault.MaxDelay {
		return nil, fmt.Errorf("inject %s: %w", f, errAtMost)
	}
	if disk, ok := f.(Disk); ok && contains(disk.Dir, d.journal.path) {
		return nil, fmt.Errorf("inject %s: %w", f, errOwnDir)
	}
	id := "holdfast-fault-" + rand.Text()[:12]
	u, err := f.plan(id)
	if err != nil {
		return nil, err
	}
	i := &injected{id: id, text: f.String(), undo: u}
	if u.Kind != undoNothing {
		if err := d.record(i, atMost); err != nil {
			return nil, fmt.Errorf("inject %s: %w", f, err)
		}
	}
	if err := f.inject(ctx, u); err != nil {
		return nil, errors.Join(err, d.revert(i, "taken back: it could not be injected"))
	}
	if err := d.arm(i, atMost); err != nil { // the driver ended meanwhile, and took back what was not there yet
		return nil, fmt.Errorf("inject %s: %w", f, errors.Join(err, u.revert()))
	}
	d.note(i.text, "injected")
	return func() error { return d.revert(i, "taken back") }, nil
}

// contains says whether a directory holds a file, links followed.
func contains(dir, file string) bool {
	realDir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false // such a directory is refused elsewhere
	}
	realFile, err := filepath.EvalSymlinks(file)
	return err != nil || strings.HasPrefix(realFile, realDir+string(filepath.Separator))
}

// record makes sure that a fault will be taken back, before it is injected.
func (d *Driver) record(i *injected, atMost time.Duration) error {
	select {
	case <-d.guard.ended:
		return ErrGuardLost
	default:
	}
	if err := d.enter(i); err != nil {
		return err
	}
	err := d.journal.add(entry{ID: i.id, Fault: i.text, Until: time.Now().Add(atMost), Undo: i.undo})
	if err != nil {
		d.leave(i)
		return err
	}
	d.guard.tell(changed)
	return nil
}

// arm sets the time at which a fault that is in force is overdue.
func (d *Driver) arm(i *injected, atMost time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	if i.undo.Kind == undoNothing {
		return nil
	}
	d.late.Add(1)
	i.timer = time.AfterFunc(atMost, func() {
		defer d.late.Done()
		_ = d.revert(i, "taken back: it was overdue") // kept, and told by the next call
	})
	return nil
}

func (d *Driver) enter(i *injected) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return errClosed
	case len(d.active) == MaxFaults:
		return errTooMany
	}
	d.active[i.id] = i
	d.order = append(d.order, i.id)
	return nil
}

func (d *Driver) leave(i *injected) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.active, i.id)
	if d.past = append(d.past, i); len(d.past) > mostPast {
		d.past = slices.Delete(d.past, 0, len(d.past)-mostPast/2)
	}
	if len(d.order) > 2*MaxFaults {
		kept := d.order[:0]
		for _, id := range d.order {
			if d.active[id] != nil {
				kept = append(kept, id)
			}
		}
		d.order = kept
	}
}

// revert takes a fault back once. What fails stays in the journal, for the guard and the next run.
func (d *Driver) revert(i *injected, note string) error {
	i.once.Do(func() {
		d.mu.Lock()
		if i.timer != nil && i.timer.Stop() {
			d.late.Done()
		}
		d.mu.Unlock()
		if i.undo.Kind == undoNothing {
			return
		}
		if err := i.undo.revert(); err != nil {
			i.err = fmt.Errorf("take back %s: %w", i.text, err)
			d.note(i.text, "not taken back: "+err.Error())
			return
		}
		i.err = d.journal.add(entry{ID: i.id, Done: true})
		d.leave(i)
		d.guard.tell(changed)
		d.note(i.text, note)
	})
	return i.err
}

func (d *Driver) revertAll() (err error) {
	d.mu.Lock()
	d.closed = true
	var all []*injected
	for _, id := range slices.Backward(d.order) {
		if i := d.active[id]; i != nil {
			all = append(all, i)
		}
	}
	d.mu.Unlock()
	for _, i := range all {
		err = errors.Join(err, d.revert(i, "taken back: the driver ends"))
	}
	d.late.Wait()
	if _, failed := d.journal.settle(); failed != nil { // tries once more what failed
		return errors.Join(err, failed)
	}
	return nil
}

// Left looks for what faults that were taken back left all the same: a process that is still stopped, a control group, a
// table, a mount. There should be nothing; each is one sentence. Of very many faults it looks at the last.
func (d *Driver) Left() []string {
	d.mu.Lock()
	past := slices.Clone(d.past)
	d.mu.Unlock()
	left := []string{}
	for _, i := range past {
		switch there, err := i.undo.remains(); {
		case err != nil:
			left = append(left, fmt.Sprintf("%s: cannot be looked for: %v", i.text, err))
		case there:
			left = append(left, i.text+": it is still there")
		}
	}
	return left
}

// Events returns the last events, oldest first, and how many were dropped before them.
func (d *Driver) Events() (events []fault.Event, dropped uint64) { return d.log.Events() }

func (d *Driver) note(text, what string) { d.log.Add(fault.Event{Fault: text, Note: what}) }
