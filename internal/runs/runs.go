package runs

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/supervise"
)

// Bounds are what runs may use.
type Bounds struct {
	AtOnce int              // runs; at least 1
	Child  supervise.Limits // of each
}

// Config says how runs are carried out. All but Logger and Publish must be
// set.
type Config struct {
	Dir    string // of the runs
	Drills string // in which each function has a directory for its drills' journals
	// Command is this very program, so that its body is Serve.
	Command []string
	// Bounds are asked for at each start.
	Bounds func() Bounds
	// Target finds a function; "" is the one with most instances. Its error is a
	// Refusal.
	Target func(function string) (Target, error)
	// Count reads what the gateway has counted; false: there is no such function.
	Count func(function string) (Counts, bool)
	// TakeBack takes back what the drill left of which the journals are in dir.
	TakeBack func(ctx context.Context, dir string) error
	Publish  func(event.Event)
	Logger   *slog.Logger
}

// How much is kept: the newest runs.
const (
	mostKept  = 100
	mostBytes = 512 << 20
)

// Runs are those of one data directory. All methods are safe for concurrent
// use. Nothing is started before Run, or after it.
type Runs struct {
	config Config
	shelf  shelf
	begin  chan *record
	closed chan struct{} // closed when Run takes no more

	mu    sync.Mutex
	ready bool
	list  []*record // oldest first
	ended map[Ended]int
}

// Ended is a way for runs to end.
type Ended struct {
	Kind  string
	State State
}

// New makes Runs.
func New(c Config) *Runs {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Publish == nil {
		c.Publish = func(event.Event) {}
	}
	r := &Runs{
		config: c, shelf: shelf{c.Dir}, begin: make(chan *record), closed: make(chan struct{}), ended: map[Ended]int{},
	}
	r.list, _ = r.load() // only to show it: Run reads it again
	return r
}

// Run carries out what is started until ctx ends; then it ends what is under
// way and returns when all of it is taken back. It may be called once. A disk
// that takes no runs is no error: the log says so, and Start refuses.
func (r *Runs) Run(ctx context.Context) error {
	defer close(r.closed)
	lock, err := r.shelf.lock(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.config.Logger.ErrorContext(ctx, "no runs can be started", "error", err)
		}
		return nil
	}
	defer func() { _ = lock.Close() }() // frees it
	var under sync.WaitGroup
	defer under.Wait()
	r.recover(ctx, &under)
	r.open(true)
	defer r.open(false)
	for {
		select {
		case x := <-r.begin:
			under.Go(func() { r.carry(ctx, x) })
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Runs) open(ready bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = ready
}

// Prepared is a Spec that was understood.
type Prepared struct {
	plan  *Plan
	order Order
}

// Foreign returns where requests go that do not go to this Holdfast.
func (p *Prepared) Foreign() []string { return p.plan.Foreign(p.order.Target.Gateway) }

// Prepare reads a Spec. The error is a Refusal.
func (r *Runs) Prepare(s Spec) (*Prepared, error) { //nolint:gocritic // the copy is kept
	t, err := r.config.Target(s.Function)
	if err != nil {
		return nil, err
	}
	p, err := s.Plan(&t)
	if err != nil {
		return nil, err
	}
	if s.URL != "" || s.Scenario != "" {
		t.Function = "" // it is not what is loaded, as far as anybody knows
	}
	return &Prepared{p, Order{Spec: s, Target: t}}, nil
}

const (
	idTime   = "20060102-150405"
	idLength = len(idTime) + 1 + 8
)

// newID grows with time.
func newID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return now.UTC().Format(idTime) + "-" + hex.EncodeToString(b[:])
}

// Start starts a run in somebody's name. The error is a Refusal, or about the
// disk.
func (r *Runs) Start(p *Prepared, by string) (Run, error) {
	now := time.Now()
	x := &record{order: p.order, atMost: p.plan.AtMost, line: &Line{}, stop: make(chan struct{})}
	x.order.ID = newID(now)
	x.order.Report = r.shelf.report(x.order.ID)
	shown := p.order.Spec
	shown.Scenario, shown.Body = "", ""
	x.run = Run{
		ID: x.order.ID, Kind: shown.Kind, Name: p.plan.Name, Function: p.order.Target.Function, State: Queued, Spec: shown, By: by, Begun: now,
	}
	if err := r.admit(x); err != nil {
		return Run{}, err
	}
	if err := r.shelf.write(&kept{Run: x.run}); err != nil {
		r.forget(x)
		return Run{}, err
	}
	v := x.run
	select {
	case r.begin <- x:
		return v, nil
	case <-r.closed:
		r.forget(x)
		return Run{}, errClosing()
	}
}

func errClosing() error {
	return notNow("ask again in a moment", "no runs are started now: this Holdfast begins or ends")
}

// admit adds a run, if there is room.
func (r *Runs) admit(x *record) error {
	most := max(r.config.Bounds().AtOnce, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return errClosing()
	}
	under := 0
	for _, o := range r.list {
		if o.run.State.Over() {
			continue
		}
		if under++; under == most {
			return notNow("wait for its end, or stop it: POST /api/v1/runs/"+o.run.ID+"/stop", "the %s %s is under way, and %s at the same time", o.run.Kind, o.run.ID, atMost(most))
		}
	}
	r.list = append(r.list, x)
	return nil
}

func atMost(n int) string {
	if n == 1 {
		return "only one may be"
	}
	return "no more may be"
}

func (r *Runs) forget(x *record) {
	r.mu.Lock()
	r.list = slices.DeleteFunc(r.list, func(o *record) bool { return o == x })
	r.mu.Unlock()
	if err := r.shelf.remove(x.order.ID); err != nil {
		r.config.Logger.Warn("a run cannot be removed", "run", x.order.ID, "error", err)
	}
}

// Stop ends a run; it is over when its state says so.
func (r *Runs) Stop(id string) (Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.find(id)
	switch {
	case x == nil:
		return Run{}, missing(id)
	case x.run.State.Over():
		return Run{}, notNow("", "the run %s has ended: %s", id, x.run.State)
	case x.stop == nil: // of the process before this one
		return Run{}, errClosing()
	case !x.stopped:
		x.stopped = true
		close(x.stop)
	}
	return x.view(), nil
}

// find requires r.mu.
func (r *Runs) find(id string) *record {
	for _, x := range r.list {
		if x.run.ID == id {
			return x
		}
	}
	return nil
}

// List returns all runs, newest first.
func (r *Runs) List() []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Run, 0, len(r.list))
	for _, x := range slices.Backward(r.list) {
		list = append(list, x.view())
	}
	return list
}

// Get returns a run.
func (r *Runs) Get(id string) (Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.find(id)
	if x == nil {
		return Run{}, missing(id)
	}
	return x.view(), nil
}

// Report returns what a run measured, as JSON.
func (r *Runs) Report(id string) ([]byte, error) {
	v, err := r.Get(id)
	if err != nil {
		return nil, err
	}
	if !v.Report {
		return nil, &Refusal{Kind: NotFound, Message: "the run " + id + " has no report: it is " + string(v.State)}
	}
	return readAtMost(r.shelf.report(id), mostReport)
}

// Line returns what happened in a run, and goes on to happen.
func (r *Runs) Line(id string) (*Line, error) {
	r.mu.Lock()
	x := r.find(id)
	var l *Line
	if x != nil {
		l = x.line
	}
	r.mu.Unlock()
	if x == nil {
		return nil, missing(id)
	}
	if l != nil {
		return l, nil
	}
	k, err := r.shelf.read(id)
	if err != nil {
		return nil, err
	}
	l = lineOf(k.Moments)
	l.end()
	return l, nil
}

// Totals says how many runs ended how since the start, and how many are under
// way.
func (r *Runs) Totals() (ended map[Ended]int, under map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended, under = map[Ended]int{}, map[string]int{}
	for _, kind := range Kinds() {
		under[kind] = 0
		for _, s := range Finals() {
			ended[Ended{kind, s}] = r.ended[Ended{kind, s}]
		}
	}
	for _, x := range r.list {
		if !x.run.State.Over() {
			under[x.run.Kind]++
		}
	}
	return ended, under
}

// load reads what is kept, oldest first.
func (r *Runs) load() (list []*record, unfinished []*kept) {
	ids, err := r.shelf.ids()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.config.Logger.Error("the runs so far cannot be listed", "error", err)
	}
	for _, id := range ids {
		k, err := r.shelf.read(id)
		if err != nil {
			r.config.Logger.Warn("a run cannot be read", "error", err)
			continue
		}
		x := &record{run: k.Run}
		if list = append(list, x); !k.Run.State.Over() {
			x.line = lineOf(k.Moments)
			unfinished = append(unfinished, k)
		}
	}
	return list, unfinished
}

// recover takes over what is kept. What was under way when Holdfast was killed
// is taken back.
func (r *Runs) recover(ctx context.Context, under *sync.WaitGroup) {
	list, unfinished := r.load()
	r.mu.Lock()
	before := r.list
	r.list = list
	r.mu.Unlock()
	for _, x := range before {
		if x.line != nil {
			r.handOver(x)
		}
	}
	for _, k := range unfinished {
		r.mu.Lock()
		x := r.find(k.Run.ID)
		r.mu.Unlock()
		r.crashed(ctx, x, k, under)
	}
	r.prune()
}

// handOver lets those who follow a run since before Run go on: it has ended in
// the process that was there, or will be said to have in this one.
func (r *Runs) handOver(x *record) {
	k, err := r.shelf.read(x.run.ID)
	if err == nil {
		x.line.goOn(k.Moments)
	}
	r.mu.Lock()
	now := r.find(x.run.ID)
	unfinished := now != nil && now.line != nil
	if unfinished {
		now.line = x.line
	}
	r.mu.Unlock()
	if !unfinished {
		x.line.end()
	}
}

func (r *Runs) crashed(ctx context.Context, x *record, k *kept, under *sync.WaitGroup) {
	const why = "Holdfast ended while it was under way"
	if k.Run.Kind != Drill {
		r.finish(ctx, x, Crashed, why)
		return
	}
	under.Go(func() { r.finish(ctx, x, Crashed, why+r.takeBack(ctx, x)) })
}

// journals is where the drill of a run has its journals.
func (r *Runs) journals(x *record) string { return filepath.Join(r.config.Drills, x.run.Function) }

// takeBackTime bounds taking back. Whatever is not taken back then stays in
// the journal, for the next drill or start.
const takeBackTime = time.Minute

// takeBack takes back what the child of a drill left. What it returns belongs
// behind the reason of the run's end; empty: all is taken back.
func (r *Runs) takeBack(ctx context.Context, x *record) (left string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), takeBackTime)
	defer stop()
	if err := r.config.TakeBack(ctx, r.journals(x)); err != nil {
		r.config.Logger.ErrorContext(ctx, "what a drill did is not all taken back", "run", x.run.ID, "function", x.run.Function, "error", err)
		return "; not all that it did is taken back: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	x.line.reverted(time.Now())
	return ""
}

// finish ends a run for good.
func (r *Runs) finish(ctx context.Context, x *record, state State, reason string) {
	now := time.Now()
	report := r.shelf.hasReport(x.run.ID)
	x.line.add(Moment{At: now, Kind: Changed, Text: string(state)})
	r.mu.Lock()
	x.run.State, x.run.Reason, x.run.Ended, x.run.Report, x.run.PID = state, reason, now, report, 0
	v := x.run
	r.ended[Ended{v.Kind, state}]++
	r.mu.Unlock()
	x.line.end()
	list, _, _ := x.line.Since(0)
	if err := r.shelf.write(&kept{Run: v, Moments: list}); err != nil {
		r.config.Logger.ErrorContext(ctx, "a run is kept in memory only", "error", err)
	} else {
		r.mu.Lock()
		x.line = nil // it is on the disk
		r.mu.Unlock()
	}
	r.tell(&v, cmp.Or(reason, "done"))
	r.prune()
}

// tell publishes what became of a run.
func (r *Runs) tell(v *Run, why string) {
	r.config.Publish(event.Event{
		Kind: event.Run, Function: v.Function, To: string(v.State), Source: v.By, Reason: v.Kind + " " + v.ID + " (" + v.Name + "): " + why,
	})
}

// prune forgets the oldest runs beyond what is kept.
func (r *Runs) prune() {
	r.mu.Lock()
	var gone []*record
	count, bytes := 0, int64(0)
	for _, x := range slices.Backward(r.list) {
		count++
		bytes += r.shelf.size(x.run.ID)
		if (count > mostKept || bytes > mostBytes) && x.run.State.Over() {
			gone = append(gone, x)
		}
	}
	r.list = slices.DeleteFunc(r.list, func(x *record) bool { return slices.Contains(gone, x) })
	r.mu.Unlock()
	for _, x := range gone {
		if err := r.shelf.remove(x.run.ID); err != nil {
			r.config.Logger.Warn("an old run cannot be removed", "run", x.run.ID, "error", err)
		}
	}
}
