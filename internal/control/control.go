package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/store"
)

// Store is where orders are written. store.Store is one.
type Store interface {
	FunctionConfigs(ctx context.Context) ([]store.FunctionConfig, error)
	EditFunctionConfig(ctx context.Context, function, action, reason string, by store.Actor, edit func(*store.FunctionConfig) error) (c store.FunctionConfig, changed bool, err error)
	Overrides(ctx context.Context) ([]store.Override, error)
	SetOverride(ctx context.Context, path string, value json.RawMessage, by store.Actor) error
	Audit(ctx context.Context, e store.AuditEntry) error
}

// Runtime is what orders take effect in.
type Runtime interface {
	// Function returns a function that is served, or nil.
	Function(name string) *exchange.Function
	// Check returns what would be wrong with the configuration under a State;
	// the Field of a Problem is the path of the key.
	Check(s *State) []Problem
	// Put puts a State in force, and keeps it through reloads.
	Put(s *State) error
	// Enabled says whether a function would be enabled under a State.
	Enabled(s *State, function string) bool
	// Settable returns why a key cannot be set through the API, in one
	// sentence; empty: it can. Block says that the key holds further keys.
	Settable(path string) (why string, block bool)
	// Scaling says what there is to scale.
	Scaling(function string) Scaling
	// Order asks the platform of a function for a number of instances, and
	// returns before it is there; Scaling tells what becomes of it. Only for
	// platforms that remember the number.
	Order(function string, instances int) error
	// Rollback goes back to the version before. It returns the version that ran.
	Rollback(ctx context.Context, function string) (from string, err error)
	// CheckURL refuses URLs of instances that the API must not set.
	CheckURL(ctx context.Context, url string) error
	// Recheck makes the health checks of a function run now.
	Recheck(function string)
}

// Scaling is what a function's number of instances is bound by.
type Scaling struct {
	Platform   string // "static" when Holdfast has no platform to ask
	Remembers  bool   // the platform keeps the number; an order is not kept
	Configured int    // as the configuration says, orders left out
	Unordered  int    // as things would be without an order: as configured, or as the scaler decided
	Wanted     int    // as things are
	Ready      int    // that take traffic now
	Min, Max   int
	Rests      string        // why the scaler does not scale it; empty: it does
	Trouble    string        // why an instance does not come up; empty: none
	ReadyIn    time.Duration // how long one may take to come up
}

// Recorder takes facts without waiting; *store.Outbox is one.
type Recorder interface{ Record(f store.Fact) error }

// Config connects a Control. All but Copy and Refresh are required.
type Config struct {
	Store   Store
	Facts   Recorder
	Runtime Runtime
	Events  *event.Bus
	Logger  *slog.Logger
	// Copy is the file that keeps the State for a start without the store;
	// empty: none.
	Copy string
	// Refresh is how often the store is asked for changes of other nodes; 0: 10 s.
	Refresh time.Duration
}

// Control carries out orders. Safe for concurrent use; orders that change the
// State follow one another.
type Control struct {
	config Config
	state  atomic.Pointer[State]
	turn   turn   // one change of the State at a time
	copied *State // what the copy holds; guarded by turn

	held    sync.Map // what Enforce drained: instance -> reason
	holding sync.Map // names of functions whose scaling is held

	life context.Context //nolint:containedctx // of the orders that outlive their request; Run ends it
	end  context.CancelFunc
	wg   sync.WaitGroup
}

const defaultRefresh = 10 * time.Second

// New makes a Control with an empty State. Load reads the kept one.
func New(c Config) *Control {
	if c.Refresh <= 0 {
		c.Refresh = defaultRefresh
	}
	life, end := context.WithCancel(context.Background())
	k := &Control{config: c, turn: make(turn, 1), life: life, end: end}
	k.state.Store(&State{})
	return k
}

// State returns what holds now.
func (c *Control) State() *State { return c.state.Load() }

// Load reads the State from the store, or from its copy when the store does
// not answer: then the error says so, and the State is usable all the same. It
// does not put it in force.
func (c *Control) Load(ctx context.Context) error {
	s, err := c.read(ctx)
	if err == nil {
		c.state.Store(s)
		return nil
	}
	copied, copyErr := c.readCopy()
	if copyErr != nil {
		return errors.Join(err, copyErr)
	}
	c.state.Store(copied)
	return err
}

func (c *Control) read(ctx context.Context) (*State, error) {
	rows, err := c.config.Store.FunctionConfigs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	overrides, err := c.config.Store.Overrides(ctx)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	s := &State{Functions: make(map[string]store.FunctionConfig, len(rows)), Overrides: overrides}
	for _, row := range rows {
		s.Functions[row.Function] = row
	}
	return s, nil
}

func (c *Control) readCopy() (*State, error) {
	if c.config.Copy == "" {
		return &State{}, nil
	}
	b, err := os.ReadFile(c.config.Copy)
	if errors.Is(err, os.ErrNotExist) {
		return &State{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the copy of the orders: %w", err)
	}
	s := &State{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("read the copy of the orders, %s: %w", c.config.Copy, err)
	}
	return s, nil
}

// keepCopy writes the copy when it is not the same. It never fails an order:
// the store has it.
func (c *Control) keepCopy(s *State) {
	if c.config.Copy == "" || c.copied != nil && c.copied.same(s) {
		return
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = writeWhole(c.config.Copy, b)
	}
	if err != nil {
		c.config.Logger.Warn("keep a copy of the orders", "error", err)
		return
	}
	c.copied = s
}

// writeWhole replaces a file so that it is there with all of its content or
// as it was.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // only the leftover
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Run looks for what other nodes ordered until ctx ends, then waits for orders
// under way.
func (c *Control) Run(ctx context.Context) error {
	ticker := time.NewTicker(c.config.Refresh)
	defer ticker.Stop()
	for {
		c.refresh(ctx)
		c.ended(time.Now())
		select {
		case <-ctx.Done():
			c.end()
			c.wg.Wait()
			return nil
		case <-ticker.C:
		}
	}
}

// refresh takes over what the store says. One that does not answer changes
// nothing.
func (c *Control) refresh(ctx context.Context) {
	done, err := c.turn.take(ctx)
	if err != nil {
		return // somebody waits for the store, who will be told
	}
	defer done()
	s, err := c.read(ctx)
	if err != nil {
		return // whoever watches the store tells of it
	}
	if !s.same(c.State()) {
		s.carry(c.State())
		if len(c.config.Runtime.Check(s)) > 0 {
			if fitting, problems := s.Fit(c.config.Runtime.Check); problems == nil {
				s = fitting
				c.tell(s)
			}
		}
		if err := c.put(s); err != nil {
			c.config.Logger.WarnContext(ctx, "orders of another node not in force", "error", err)
			return
		}
		c.config.Logger.InfoContext(ctx, "orders changed in the store are in force")
	}
	c.keepCopy(s)
}

// put makes a State the one in force. Requires c.turn.
func (c *Control) put(s *State) error {
	before := c.state.Swap(s)
	if err := c.config.Runtime.Put(s); err != nil {
		c.state.Store(before)
		return fmt.Errorf("put orders in force: %w", err)
	}
	return nil
}

// function returns a function, or the refusal that there is none.
func (c *Control) function(name string) (*exchange.Function, error) {
	if fn := c.config.Runtime.Function(name); fn != nil {
		return fn, nil
	}
	return nil, notFound("there is no function %q", name)
}

// change writes an order about a function and puts it in force. The store
// writes the audit log in the same transaction; an order that changes nothing
// gets an entry of its own.
func (c *Control) change(ctx context.Context, by store.Actor, function, action, reason string, edit func(*store.FunctionConfig) error) error {
	done, err := c.turn.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	row, changed, err := c.config.Store.EditFunctionConfig(ctx, function, action, reason, by, edit)
	if err != nil {
		return err
	}
	if !changed { // it was like that before
		if err := c.audit(ctx, by, function, action, reason, nil); err != nil {
			return err
		}
	}
	s := c.State().with(row)
	if err := c.put(s); err != nil {
		return errors.Join(err, c.audit(context.WithoutCancel(ctx), by, function, action, reason, err))
	}
	c.keepCopy(s)
	return nil
}

// enable enables a function, also one whose file says enabled: false.
func (c *Control) enable(row *store.FunctionConfig) error {
	row.Enabled = true
	if c.config.Runtime.Enabled(c.State().with(*row), row.Function) {
		return nil
	}
	doc := documentOf(row.Recovery)
	doc["enabled"] = true
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("enable: %w", err)
	}
	row.Recovery = b
	return nil
}

// Enabled says whether a function is enabled, whoever said so.
func (c *Control) Enabled(function string) bool { return c.config.Runtime.Enabled(c.State(), function) }

// order is change for what is kept as Orders.
func (c *Control) order(ctx context.Context, by store.Actor, function, action, reason string, edit func(*Orders) error) error {
	return c.change(ctx, by, function, action, reason, func(row *store.FunctionConfig) error {
		o := ordersOf(*row)
		if err := edit(&o); err != nil {
			return err
		}
		return setOrders(row, o)
	})
}

// audit writes an entry for what has no row, or for what failed afterwards.
func (c *Control) audit(ctx context.Context, by store.Actor, target, action, reason string, failure error) error {
	e := store.AuditEntry{ID: store.NewID(), At: time.Now(), Actor: by, Action: action, Target: target, Reason: reason}
	if failure != nil {
		e.Error = failure.Error()
	}
	if err := c.config.Store.Audit(ctx, e); err != nil {
		return fmt.Errorf("write audit entry: %w", err)
	}
	return nil
}

// publish tells everybody that something was done.
func (c *Control) publish(function, instance, what, reason string) {
	c.publishFrom(operator, event.Event{Function: function, Instance: instance, To: what, Reason: reason})
}

// operator is the source of what people order, scaler of what is decided by
// itself.
const (
	operator = "operator"
	scaler   = "scaler"
)

func (c *Control) publishFrom(source string, e event.Event) {
	e.Kind, e.Source = event.Action, source
	c.config.Events.Publish(e)
}

// record logs a scaling action.
func (c *Control) record(a store.ScalingAction, source string) store.ScalingAction {
	a.ID, a.CreatedAt = store.NewID(), time.Now()
	if err := c.config.Facts.Record(a); err != nil {
		c.config.Logger.Error("scaling action not kept", "function", a.Function, "action", a.Action, "error", err)
	}
	reason := fmt.Sprintf("%d -> %d instances: %s", a.Before, a.After, a.Reason)
	if !a.Success {
		reason += "; failed: " + a.ErrorMessage
	}
	c.publishFrom(source, event.Event{Function: a.Function, To: a.Action, Reason: reason})
	return a
}

// because puts the reason behind who wants it.
func because(by store.Actor, reason string) string {
	if reason == "" {
		return "ordered by " + by.Name
	}
	return "ordered by " + by.Name + ": " + reason
}
