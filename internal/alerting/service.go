package alerting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/event"
	"holdfast/internal/store/spool"
)

// Config configures a Service.
type Config struct {
	// Dir is where it keeps what it must not forget; one process at a time.
	Dir string
	// View makes the picture the rules look at; it must not block.
	View func(now time.Time) View
	// Events are where failovers and scaling actions are heard of.
	Events *event.Bus
	// Past knows minutes from before the start; nil: nobody does.
	Past Past
	// Tell is told of each alert that fires or is resolved; it must not block. May
	// be nil.
	Tell func(Change)
	// OnNotice is told what happens on the way to the channels. May be nil.
	OnNotice func(Notice)
	Settings Settings
}

// Settings are what can change while it runs.
type Settings struct {
	Rules    []Rule
	Windows  []Window
	Pace     Pace
	Channels []channel.Channel
	// Heartbeat is the time between two heartbeats to channels that want them; 0:
	// none are sent.
	Heartbeat time.Duration
	// Link returns the address of the page about a function; "": of all.
	Link func(function string) string
}

// Service looks, remembers and tells. Safe for concurrent use.
type Service struct {
	config Config
	again  chan struct{} // the settings are others, or a silence is

	mu       sync.Mutex // guards what follows; never held while waiting
	book     *Book
	settings Settings
	senders  map[string]*sender
	looked   time.Time

	// Of Run alone:
	formulas formulas
	budgets  budgets
	moments  []Finding
	heard    uint64   // number of the last event
	lock     *os.File // nil: the directory cannot be had
	channels ledger
	// budgetsKept is when the counts of objectives were kept last.
	budgetsKept time.Time
	stop        map[string]func()
	unkept      bool
	lost        map[string]loss
}

// loss is what a full queue has dropped, and when last.
type loss struct {
	count uint64
	at    time.Time
}

// tick is how often is looked.
const tick = 2 * time.Second

// New makes a service; Run runs it.
func New(c Config) *Service {
	if c.Tell == nil {
		c.Tell = func(Change) {}
	}
	if c.OnNotice == nil {
		c.OnNotice = func(Notice) {}
	}
	s := &Service{
		config: c, again: make(chan struct{}, 1), book: NewBook(time.Now()), senders: map[string]*sender{}, stop: map[string]func(){},
		budgets: budgets{past: c.Past}, channels: newLedger(), lost: map[string]loss{},
	}
	s.Configure(c.Settings)
	return s
}

// Configure puts other settings in force, from the next look on. A channel that
// is the very same goes on.
func (s *Service) Configure(c Settings) {
	if c.Link == nil {
		c.Link = func(string) string { return "" }
	}
	rules := map[string]*Rule{}
	for i := range c.Rules {
		rules[c.Rules[i].Name] = &c.Rules[i]
	}
	s.mu.Lock()
	s.settings = c
	s.book.rules, s.book.windows, s.book.pace, s.book.link = rules, c.Windows, c.Pace, c.Link
	s.mu.Unlock()
	s.wake()
}

func (s *Service) wake() {
	select {
	case s.again <- struct{}{}:
	default: // it has not looked since
	}
}

// Run looks every two seconds and delivers until ctx ends. What an earlier
// process knew it takes over once that has let go. Where the disk does not let
// it, it tells people all the same, and goes on trying to get its directory.
func (s *Service) Run(ctx context.Context) error {
	if !s.takeOver(ctx) {
		return nil
	}
	defer func() {
		if s.lock != nil {
			_ = s.lock.Close() // frees the lock
		}
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer s.endSenders()
	wg.Go(func() { s.beat(ctx) })
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		s.open(ctx, &wg)
		s.look(time.Now())
		select {
		case <-ticker.C:
		case <-s.again:
		case <-ctx.Done():
			return nil
		}
		if s.lock == nil {
			_ = s.take(time.Now()) // told already
		}
	}
}

const lockEvery = 100 * time.Millisecond

// takeOver waits until nobody else has the directory, and takes it. False: ctx
// has ended. It does not wait for a disk that refuses.
func (s *Service) takeOver(ctx context.Context) bool {
	ticker := time.NewTicker(lockEvery)
	defer ticker.Stop()
	for {
		err := s.take(time.Now())
		if err == nil {
			return true
		}
		if !errors.Is(err, spool.ErrLocked) {
			s.config.OnNotice(Notice{Kind: Unkept, Error: err})
			s.unkept = true
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// take takes the directory and reads what is in it.
func (s *Service) take(now time.Time) error {
	if err := os.MkdirAll(s.config.Dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of alerts: %w", err)
	}
	lock, err := lockDir(s.config.Dir)
	if err != nil {
		return err
	}
	s.lock = lock
	k, err := readKept[kept](s.path())
	counts, err2 := readKept[map[string]countsKept](s.budgetsPath())
	if err = errors.Join(err, err2); err != nil { // it goes on with nothing
		s.config.OnNotice(Notice{Kind: Unkept, Error: err})
	}
	s.budgets.before, s.budgetsKept = counts, now
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book.restore(&k, now)
	s.channels.restore(&k)
	return nil
}

func (s *Service) path() string { return filepath.Join(s.config.Dir, "alerts.json") }

// open makes the senders those of the settings.
func (s *Service) open(ctx context.Context, wg *sync.WaitGroup) {
	s.mu.Lock()
	want := map[string]channel.Channel{}
	for _, c := range s.settings.Channels {
		want[c.Name()] = c
	}
	have := maps.Clone(s.senders)
	s.mu.Unlock()
	for name, old := range have {
		if want[name] != old.channel {
			s.end(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if one := s.sender(name); one != nil {
			_ = one.queue.open() // told when it began
		} else {
			s.begin(ctx, wg, want[name])
		}
	}
}

func (s *Service) sender(name string) *sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.senders[name]
}

// all returns the senders there are.
func (s *Service) all() []*sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.senders))
}

func (s *Service) begin(ctx context.Context, wg *sync.WaitGroup, c channel.Channel) {
	name, now := c.Name(), time.Now()
	q, err := openQueue(filepath.Join(s.config.Dir, "queue"), name, s.channels.number)
	if err != nil { // it works in memory meanwhile
		s.config.OnNotice(Notice{Channel: name, Kind: Unkept, Error: err})
	}
	one := &sender{channel: c, queue: q, tell: s.config.OnNotice, firing: s.Firing, owed: s.channels.owes(name, now)}
	if why := s.channels.refused[name]; why != "" {
		one.stats.Trouble, one.stats.Hopeless, one.stats.Since = why, true, now
		delete(s.channels.refused, name)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		one.run(ctx)
	})
	s.stop[name] = func() {
		cancel()
		<-done
		q.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.senders[name] = one
}

// end stops a sender; what it has not delivered waits for its return.
func (s *Service) end(name string) {
	s.mu.Lock()
	one := s.senders[name]
	delete(s.senders, name)
	s.mu.Unlock()
	s.stop[name]()
	delete(s.stop, name)
	s.channels.ended(name, one)
}

func (s *Service) endSenders() {
	refused := s.refused()
	for name := range maps.Clone(s.stop) {
		s.end(name)
	}
	s.channels.refused = refused
	s.keep() // what happened since the last look
	s.keepBudgets(time.Now(), 0)
}
