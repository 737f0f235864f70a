package drill

import (
	"cmp"
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

// Config is what a drill needs. All up to Path, Dir and Guard must
// be set.
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
	// ReadLedger says how often each id that begins with prefix is in the ledger: nil, Ledger is a file.
	ReadLedger func(ctx context.Context, prefix string) (map[string]int, error)
	// Control sends the load to the first instance itself, past Holdfast, for comparison. Nothing is expected then.
	Control bool
	// LoseStore takes the state store away: nil, it cannot be done here.
	LoseStore func(ctx context.Context, d *sysfault.Driver, atMost time.Duration) (revert func() error, err error)
	// LoseDatabase takes away the database that the instances use: it refuses connections, or its packets get lost. Nil:
	// it cannot be done, as NoDatabase says.
	LoseDatabase func(ctx context.Context, d *sysfault.Driver, refuse bool, atMost time.Duration) (revert func() error, err error)
	NoDatabase   string
	OnLine       func(string) // progress, from several goroutines: nobody
	// OnFault is told of each fault when it is in force, and again, with Reverted, when it is taken back; from several
	// goroutines. OnPoint is told of each second of the load. Nobody.
	OnFault func(Fault)
	OnPoint func(loadtest.Point)
}

// spare is how long after its time the guard takes a fault back whose driver hangs.
const spare = 5 * time.Second

// run is a drill under way.
type run struct {
	Config

	x       *Experiment
	driver  *sysfault.Driver
	journal *journal
	watch   *watch
	unwhole string    // why it cannot be told whether answers are whole
	begun   time.Time // as the driver sees it; the load's own begin is a moment later
	targets []Instance
	busiest []Instance // the one of them

	mu     sync.Mutex
	faults []Fault
	failed []error
	astray int64
	drains int
	scaled int
	storeT *float64
	// Struck counts what the faults of proxies hit, if there was any proxy.
	struck  int64
	proxied bool
	seen    map[int]uint64 // processes of instances, and when they were started
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
	if c.OnFault == nil {
		c.OnFault = func(Fault) {}
	}
	r := &run{Config: c, x: c.Experiment, seen: map[int]uint64{}}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of drills: %w", err)
	}
	var out *Result
	err := sysfault.Run(ctx, sysfault.Config{Dir: c.Dir, Guard: c.Guard}, func(ctx context.Context, d *sysfault.Driver) (err error) {
		r.driver = d
		r.journal = &journal{path: journalPath(c.Dir)}
		out, err = r.alone(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("drill %s: %w", c.Experiment.Name, err)
	}
	return out, nil
}

// alone requires that no other drill has the directory: the orders in its journal are of one that is gone.
func (r *run) alone(ctx context.Context) (*Result, error) {
	if _, err := TakeBack(ctx, r.Server, r.Dir); err != nil {
		return nil, fmt.Errorf("take back what an earlier drill left: %w", err)
	}
	if left, err := r.enough(ctx); err != nil || left != "" {
		return &Result{Experiment: r.x.Name, About: r.x.About, Function: r.Function, Begun: time.Now(), Skipped: left}, err
	}
	return r.all(ctx)
}

// patience is how long an installation may take to be complete: it may just
// have been started, or have had another drill. An ejection ends by itself, the
// first after half a minute, the second after a minute.
const (
	patience = 10 * time.Second
	ejection = 70 * time.Second
)

// enough waits until nothing is missing, and says in the end what still is.
func (c *Config) enough(ctx context.Context) (string, error) {
	for begun, told := time.Now(), false; ; {
		s, err := c.Server.State(ctx, c.Function)
		if err != nil {
			return "", err
		}
		left, limit := c.missing(s), patience
		if slices.ContainsFunc(s.Instances, func(i Instance) bool { return i.Ejected }) {
			left, limit = cmp.Or(left, "an instance of "+c.Function+" is ejected; try again when it is back"), ejection
			if !told {
				c.OnLine("waiting for an instance that is ejected")
			}
			told = true
		}
		if left == "" || time.Since(begun) > limit {
			return left, nil
		}
		if err := wait(ctx, time.Now().Add(patience/100)); err != nil {
			return "", err
		}
	}
}

// missing says what the installation lacks for the experiment.
func (c *Config) missing(s *State) string {
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
		case step.Do == Scale && s.Wanted == 0:
			return c.Function + " has no instances that Holdfast can add to: they are listed in its configuration, or there are none"
		case slices.Contains([]Action{Kill, Freeze, CPU}, step.Do) && own < need:
			return fmt.Sprintf("%s has %d of %d needed instances that Holdfast started on this machine and that take traffic", c.Function, own, need)
		case slices.Contains([]Action{Refuse, Drop, TCP, HTTP}, step.Do) && local < need:
			return fmt.Sprintf("%s has %d of %d needed instances on this machine that take traffic", c.Function, local, need)
		case len(running) < need:
			return fmt.Sprintf("%s has %d instances that take traffic, and %d are needed", c.Function, len(running), need)
		case step.Do == LoseStore && c.LoseStore == nil:
			return "the state store is not one that this command can take away"
		case step.Do == LoseDatabase && c.LoseDatabase == nil:
			return c.NoDatabase
		}
	}
	return ""
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
	left            []string
}

func (r *run) all(ctx context.Context) (*Result, error) {
	var m moments
	var err error
	if _, m.since, err = r.Server.Events(ctx, 0); err != nil {
		return nil, err
	}
	if m.before, err = r.state(ctx); err != nil {
		return nil, err
	}
	r.targets = active(m.before.Instances)
	load, err := r.loadConfig(ctx)
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
	return r.judge(ctx, result, &m)
}

// The stages of the load, and the kinds of requests.
const (
	baseline = "baseline"
	window   = "fault"
	recovery = "recovery"
	get      = "GET"
	post     = "POST"

	postEndpoint = 1 // its index
)

func (r *run) loadConfig(ctx context.Context) (loadtest.Config, error) {
	base := r.Gateway
	if r.Control {
		base = "http://" + r.targets[0].Address
	}
	checks, err := r.wholeness(ctx, base+r.Path)
	if err != nil {
		return loadtest.Config{}, err
	}
	r.watch = &watch{from: r.x.Baseline, to: r.x.Baseline + r.x.Fault}
	h := httpload.Config{Requests: []httpload.Request{{Name: get, URL: base + r.Path, Checks: checks}}}
	weights := []loadtest.Endpoint{{Name: get, Weight: 1000}}
	if posts := int(r.x.Load.Posts * 1000); r.Ledger != "" && posts > 0 && !r.Control {
		r.watch.ledger = newLedger(&r.Config, time.Now())
		h.Requests = append(h.Requests, httpload.Request{
			Name: post, Method: post, URL: base + r.LedgerPath, Header: []httpload.Field{{Name: "X-Ledger-Id", Value: r.watch.ledger.prefix + "{{seq}}"}},
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
		Client: r.watch.around(client), Endpoints: weights, Open: true, Timeout: r.x.Load.Timeout, Seed: 1, OnPoint: r.OnPoint,
		MaxInFlight: inFlight(max(surge, r.x.Load.Rate), r.x.Load.Timeout),
		Stages: []schedule.Stage{
			{Name: baseline, Rate: r.x.Load.Rate, Duration: r.x.Baseline},
			{Name: window, Rate: surge, Duration: r.x.Fault},
			{Name: recovery, Rate: r.x.Load.Rate, Duration: r.x.Recovery},
		},
		Objectives: []objective.Objective{},
	}, nil
}

// inFlight is so many that a target which answers nothing keeps none of them from being sent: then what was not sent is
// the generator's fault.
func inFlight(rate float64, timeout time.Duration) int {
	const most = 100_000
	return min(int(rate*timeout.Seconds()*1.2)+100, most)
}

// timeline does everything at its time and ends with the fault window. What
// was done is taken back then, also when something failed.
func (r *run) timeline(ctx context.Context, m *moments) (err error) {
	zero := r.begun.Add(r.x.Baseline)
	if err = wait(ctx, zero); err != nil {
		return err
	}
	if m.at, err = r.state(ctx); err != nil {
		return err
	}
	r.busiest = r.mostPicked(m.before, m.at)
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
	m.end, err = r.state(ctx)
	return err
}

// mostPicked is the target that got most requests from one state to another. Without Holdfast all go to the first.
func (r *run) mostPicked(before, after *State) []Instance {
	most, best := uint64(0), 0
	for n, t := range r.targets {
		got := func(s *State) uint64 {
			i := slices.IndexFunc(s.Instances, func(i Instance) bool { return i.ID == t.ID })
			if i < 0 {
				return 0
			}
			return s.Instances[i].Picks
		}
		if picks := got(after) - min(got(before), got(after)); picks > most && !r.Control {
			most, best = picks, n
		}
	}
	return r.targets[best : best+1]
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
