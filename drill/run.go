package drill

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"holdfast/fault/sysfault"
	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/objective"
	"holdfast/loadtest/schedule"
)

// Config is what a drill needs. All but Ledger, LedgerPath, Control, LoseStore
// and OnLine must be set.
type Config struct {
	Experiment *Experiment
	Server     Server
	Function   string
	Gateway    string // http://host:port
	Path       string // what is asked for with GET
	// Ledger is the file into which the instances write "id instance" for every POST to LedgerPath that they process, the
	// id being the header X-Ledger-Id. Without it no POST is sent, and duplicates are not measured.
	Ledger, LedgerPath string
	// Dir holds the journals; only one drill at a time uses it. Guard is the command whose body takes back what is in
	// them: see sysfault.Config and TakeBack.
	Dir   string
	Guard []string
	// Control sends the load to the first instance itself, past Holdfast, for comparison. Nothing is expected then.
	Control bool
	// LoseStore takes the state store away: nil, it cannot be done here.
	LoseStore func(ctx context.Context, d *sysfault.Driver, atMost time.Duration) (revert func() error, err error)
	OnLine    func(string) // progress, from several goroutines: nobody
}

// spare is how long after its time the guard takes a fault back whose driver hangs.
const spare = 5 * time.Second

// run is a drill under way.
type run struct {
	Config

	x       *Experiment
	driver  *sysfault.Driver
	journal *journal
	ledger  *ledger
	begun   time.Time // as the driver sees it; the load's own begin is a moment later
	targets []Instance

	mu     sync.Mutex
	faults []Fault
	failed []error
	astray int64
	drains int
	scaled int
	storeT *float64
}

// Fault is something that was done, with the moments of doing it and taking it
// back.
type Fault struct {
	What     string    `json:"what"`
	Injected time.Time `json:"injected"`
	Reverted time.Time `json:"reverted"` // of a kill: the same
}

// Run carries an experiment out and returns when everything is taken back. A
// drill that this machine or this installation cannot do is no error: its
// result is Skipped and says why. It fails when ctx ends, since an experiment
// that was cut off shows nothing.
func Run(ctx context.Context, c Config) (*Result, error) {
	if c.OnLine == nil {
		c.OnLine = func(string) {}
	}
	r := &run{Config: c, x: c.Experiment}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of drills: %w", err)
	}
	if _, err := TakeBack(ctx, c.Server, c.Dir); err != nil {
		return nil, fmt.Errorf("take back what an earlier drill left: %w", err)
	}
	if left, err := c.enough(ctx); err != nil || left != "" {
		return &Result{Experiment: c.Experiment.Name, About: c.Experiment.About, Function: c.Function, Begun: time.Now(), Skipped: left}, err
	}
	var out *Result
	err := sysfault.Run(ctx, sysfault.Config{Dir: c.Dir, Guard: c.Guard}, func(ctx context.Context, d *sysfault.Driver) error {
		r.driver = d
		r.journal = &journal{path: journalPath(c.Dir)}
		var err error
		out, err = r.all(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("drill %s: %w", c.Experiment.Name, err)
	}
	return out, nil
}

// patience is how long an installation may take to be complete: it may just
// have been started, or have had another drill.
const patience = 10 * time.Second

// enough waits until nothing is missing, and says in the end what still is.
func (c *Config) enough(ctx context.Context) (string, error) {
	for deadline := time.Now().Add(patience); ; {
		left, err := c.missing(ctx)
		if err != nil || left == "" || time.Now().After(deadline) {
			return left, err
		}
		if err := wait(ctx, time.Now().Add(patience/100)); err != nil {
			return "", err
		}
	}
}

// missing says what the installation lacks for the experiment.
func (c *Config) missing(ctx context.Context) (string, error) {
	s, err := c.Server.State(ctx, c.Function)
	if err != nil {
		return "", err
	}
	need, own, local := max(c.Experiment.Instances, 1), 0, 0
	running := active(s.Instances)
	for _, i := range running {
		if i.PID > 0 {
			own++
		}
		if i.Local {
			local++
		}
	}
	for _, step := range c.Experiment.Inject {
		switch {
		case slices.Contains([]Action{Kill, Freeze, CPU, Scale}, step.Do) && own < need:
			return fmt.Sprintf("%s has %d of %d needed instances that Holdfast started on this machine and that take traffic", c.Function, own, need), nil
		case slices.Contains([]Action{Refuse, Drop}, step.Do) && local < need:
			return fmt.Sprintf("%s has %d of %d needed instances on this machine that take traffic", c.Function, local, need), nil
		case len(running) < need:
			return fmt.Sprintf("%s has %d instances that take traffic, and %d are needed", c.Function, len(running), need), nil
		case step.Do == LoseStore && c.LoseStore == nil:
			return "the state store is not one that this command can take away", nil
		}
	}
	return "", nil
}

func active(list []Instance) []Instance {
	return slices.DeleteFunc(slices.Clone(list), func(i Instance) bool { return !i.Active })
}

// moments are what was asked of the server in the course of a run.
type moments struct {
	since           uint64
	before, at, end *State // before the load, at the begin and the end of the fault window
	after           *State
	events          []Event
}

func (r *run) all(ctx context.Context) (*Result, error) {
	var m moments
	var err error
	if _, m.since, err = r.Server.Events(ctx, 0); err != nil {
		return nil, err
	}
	if m.before, err = r.Server.State(ctx, r.Function); err != nil {
		return nil, err
	}
	r.targets = active(m.before.Instances)
	load, err := r.loadConfig()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var result *loadtest.Result
	var loadErr error
	var wg sync.WaitGroup
	r.begun = time.Now()
	wg.Go(func() { result, loadErr = loadtest.Run(ctx, load) })
	if err = r.timeline(ctx, &m); err != nil {
		stop(err)
	}
	wg.Wait()
	switch {
	case errors.Is(err, sysfault.ErrUnsupported):
		return &Result{Experiment: r.x.Name, About: r.x.About, Function: r.Function, Begun: r.begun, Skipped: err.Error()}, nil
	case err != nil:
		return nil, err
	case loadErr != nil:
		return nil, loadErr
	case result.Interrupted:
		return nil, fmt.Errorf("it was interrupted: %w", context.Cause(ctx))
	}
	if err := r.aftermath(ctx, &m); err != nil {
		return nil, err
	}
	return r.judge(result, &m)
}

// settle is how long what the load used may take to be given back before it
// counts as residue.
const settle = 3 * time.Second

// aftermath asks how things are, once Holdfast has had time to tidy up.
func (r *run) aftermath(ctx context.Context, m *moments) (err error) {
	for deadline := time.Now().Add(settle); ; {
		if m.after, err = r.Server.State(ctx, r.Function); err != nil {
			return err
		}
		if m.after.Goroutines <= m.before.Goroutines || time.Now().After(deadline) {
			break
		}
		if err := wait(ctx, time.Now().Add(settle/10)); err != nil {
			return err
		}
	}
	m.events, _, err = r.Server.Events(ctx, m.since)
	return err
}

// The stages of the load, and the kinds of requests.
const (
	baseline = "baseline"
	window   = "fault"
	recovery = "recovery"
	get      = "GET"
	post     = "POST"
)

func (r *run) loadConfig() (loadtest.Config, error) {
	base := r.Gateway
	if r.Control {
		base = "http://" + r.targets[0].Address
	}
	h := httpload.Config{Requests: []httpload.Request{{Name: get, URL: base + r.Path}}}
	weights := []loadtest.Endpoint{{Name: get, Weight: 1000}}
	if posts := int(r.x.Load.Posts * 1000); r.Ledger != "" && posts > 0 && !r.Control {
		r.ledger = newLedger(r.Ledger, time.Now())
		h.Requests = append(h.Requests, httpload.Request{
			Name: post, Method: post, URL: base + r.LedgerPath, Header: []httpload.Field{{Name: "X-Ledger-Id", Value: r.ledger.prefix + "{{seq}}"}},
		})
		weights = []loadtest.Endpoint{{Name: get, Weight: 1000 - posts}, {Name: post, Weight: posts}}
		if posts == 1000 {
			weights[0].Weight = 1 // 0 would count as 1 all the same
		}
	}
	client, err := httpload.New(h)
	if err != nil {
		return loadtest.Config{}, err
	}
	surge := r.x.Load.Rate
	if r.x.Load.Surge > 0 {
		surge *= r.x.Load.Surge
	}
	return loadtest.Config{
		Client: r.ledger.around(client), Endpoints: weights, Open: true, Timeout: r.x.Load.Timeout, Seed: 1,
		Stages: []schedule.Stage{
			{Name: baseline, Rate: r.x.Load.Rate, Duration: r.x.Baseline},
			{Name: window, Rate: surge, Duration: r.x.Fault},
			{Name: recovery, Rate: r.x.Load.Rate, Duration: r.x.Recovery},
		},
		Objectives: []objective.Objective{},
	}, nil
}

// timeline does everything at its time and ends with the fault window. What
// was done is taken back then, also when something failed.
func (r *run) timeline(ctx context.Context, m *moments) (err error) {
	zero := r.begun.Add(r.x.Baseline)
	if err = wait(ctx, zero); err != nil {
		return err
	}
	if m.at, err = r.Server.State(ctx, r.Function); err != nil {
		return err
	}
	r.OnLine("the baseline is measured; now it begins")
	var wg sync.WaitGroup
	for i := range r.x.Inject {
		wg.Go(func() { r.fail(r.step(ctx, &r.x.Inject[i], zero)) })
	}
	wg.Wait()
	if err := errors.Join(r.failed...); err != nil {
		return err
	}
	if err = wait(ctx, zero.Add(r.x.Fault)); err != nil {
		return err
	}
	r.OnLine("all is taken back; now it has to recover")
	m.end, err = r.Server.State(ctx, r.Function)
	return err
}

func (r *run) fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, err)
}

// wait waits until t.
func wait(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// port is that of an address.
func port(address string) (int, error) {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("the address of an instance: %w", err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("the port of an instance: %w", err)
	}
	return n, nil
}
