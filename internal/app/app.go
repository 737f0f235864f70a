package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/internal/admin"
	"holdfast/internal/admin/access"
	"holdfast/internal/admin/access/certificate"
	"holdfast/internal/admin/access/outbound"
	"holdfast/internal/alerting"
	"holdfast/internal/child"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/history"
	"holdfast/internal/monitor"
	"holdfast/internal/prober"
	"holdfast/internal/recorder"
	"holdfast/internal/runs"
	"holdfast/internal/scaler"
	"holdfast/internal/signals"
	"holdfast/internal/store"
	"holdfast/internal/telemetry"
	"holdfast/internal/telemetry/traces"
)

// Options says what to run.
type Options struct {
	Config config.Options // read at the start and at every reload
	Log    io.Writer
	// Hangup makes the configuration be read again, or, when there is no file to
	// read, ends Run: the terminal was closed. May be nil.
	Hangup <-chan os.Signal
	// Guard is the command that kills the children should Holdfast be killed.
	Guard []string
	// Debug names components to log at level debug ("*": all).
	Debug []string
	// Version is shown by the admin interface.
	Version string
	// Replace takes over from a Holdfast that runs with the same data
	// directory, if there is one.
	Replace bool
	// ReplaceTimeout is how long the functions may take to be ready before the
	// other process is asked to go; 0: a minute.
	ReplaceTimeout time.Duration
	// APICommands lets the admin API set commands, files and environment of
	// instances: whoever may change the configuration can then run programs.
	APICommands bool
	// Successor makes the command that starts this Holdfast anew, with
	// Replace; nil: it cannot be asked for an upgrade.
	Successor func() *exec.Cmd
	// Runs carry out load tests and drills for the API.
	Runs Runs
}

// App is one running Holdfast.
type App struct {
	options   Options
	logs      *telemetry.Logs
	logger    *slog.Logger
	events    *event.Bus
	gateway   *gateway.Gateway
	prober    *prober.Prober
	instances *instances
	processes *processes
	remotes   *remotes
	admin     *admin.Server
	data      *dataDir
	store     store.Store
	outbox    *store.Outbox
	spool     int // which spool is this process's
	recorder  *recorder.Recorder
	memory    *recorder.Memory
	minutes   *recorder.Minutes
	history   *history.History
	monitor   *monitor.Monitor
	alerts    *alerting.Service
	channels  alertChannels
	happened  telemetry.Happened
	traces    *traces.Traces // nil: none are sent
	scaler    *scaler.Scaler
	counts    scaledCounts
	plans     scalingPlans
	signals   *signals.Collector
	node      string // names this Holdfast among those that share a store
	control   *control.Control
	runs      *runs.Runs // nil: none are carried out
	orders    orders
	door      door

	certificate *certificate.Source // of the gateway; nil: no TLS

	listener      net.Listener
	adminListener net.Listener
	socket        *net.UnixListener
	passing       passing

	reloading sync.Mutex    // one reload at a time
	again     chan struct{} // asks for one more
	stale     []string      // functions whose overrides the log has told are left out; guarded by reloading
	config    atomic.Pointer[config.Config]
	origins   atomic.Pointer[config.Origins]
	seen      atomic.Pointer[config.Origins] // of the last reload, also of a refused one; nil: none yet
	ours      atomic.Pointer[[]string]       // the files that are watched
}

// eventsKept is how many events a terminal can look back on.
const eventsKept = 1000

// New reads the configuration, opens the listeners and wires the parts.
// Nothing runs before Run. On an error everything opened is closed again.
func New(o Options) (*App, error) {
	a := &App{options: o, again: make(chan struct{}, 1)}
	a.orders.app = a
	c, origins, keep, err := a.loadFresh(nil)
	if err != nil {
		return nil, err
	}
	keep()
	a.config.Store(c)
	a.origins.Store(origins)
	if err := a.open(c); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *App) open(c *config.Config) error {
	a.makeLogs(c)
	if err := a.takeData(c.DataDir); err != nil {
		return err
	}
	secret, err := a.data.secret("affinity-key")
	if err != nil {
		return err
	}
	if err := a.openListeners(c); err != nil {
		return err
	}
	if err := a.openStore(c); err != nil {
		return err
	}
	a.wire(c, secret)
	if err := a.makeRecorder(); err != nil {
		return err
	}
	if err := a.makeTraces(c); err != nil {
		return err
	}
	if err := a.makeHistory(); err != nil {
		return err
	}
	a.makeMonitor()
	a.makeScaler()
	a.readOrders()
	if err := a.openDoor(c); err != nil {
		return err
	}
	if err := a.makeRuns(); err != nil {
		return err
	}
	a.makeAlerts(c)
	a.makeAdmin(c)
	if err := a.configureAsOrdered(); err != nil {
		a.heldBack(err)
	}
	a.counts.only(a.config.Load())
	return Check(a.config.Load())
}

// configureAsOrdered lays what was ordered through the API over the
// configuration. What of it does not fit any more is set aside; when nothing
// would do, it changes nothing.
func (a *App) configureAsOrdered() error {
	_ = a.control.Fit() // what is wrong for another reason shows right below
	c, origins, err := a.loadKept(a.control.State())
	if err == nil {
		err = Check(c)
	}
	if err != nil {
		return err
	}
	a.config.Store(c)
	a.origins.Store(origins)
	a.setLevels(c)
	a.tellStale(origins)
	return nil
}

// wire makes the parts; none of them runs yet.
func (a *App) wire(c *config.Config, secret []byte) {
	a.events = event.NewBus(eventsKept, a.logEvent, a.happened.Event, func(e event.Event) { a.recorder.Event(e) })
	a.prober = prober.New(prober.Config{}) // what it finds shows as events
	a.gateway = gateway.New(gateway.Config{
		Logger: a.logs.For("gateway"), Access: a.logs.Lines("access", "exchange", access.Mask), Events: a.events,
		Records: c.Limits.RecordRing, TrustedProxies: c.TrustedProxies, Secret: secret, Strict: c.Engine == "http1",
		Observe: a.observe,
		Failed:  func(function, instance string) { a.prober.Suspect(targetKey(function, instance)) },
	})
	a.instances = newInstances(a.gateway, a.prober)
	a.instances.weight = func(function, id string, configured int) int {
		o := a.control.State().Orders(function)
		return o.Weight(id, configured)
	}
	a.instances.enforce = func(fn *exchange.Function) { a.control.Enforce(fn) }
	a.orders.outbound = outbound.New(outbound.Config{Allow: c.Admin.AllowInstances})
}

// Addresses returns where the gateway and the admin interface listen.
func (a *App) Addresses() (gateway, admin string) {
	return a.listener.Addr().String(), a.adminListener.Addr().String()
}

// Run serves until ctx ends, then lets exchanges finish, stops the processes
// and returns when everything is gone.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	leanly()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	a.processes = newProcesses(background, a.instances, a.events, a.logs.For("process"), a.options.Guard)
	a.remotes = newRemotes(background, a.instances, a.events, a.logs.For("platform"), a.data)
	c := a.config.Load()

	var wg sync.WaitGroup
	service := func(name string, run func(context.Context) error) {
		wg.Go(func() {
			if err := run(background); err != nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	service("prober", a.prober.Run)
	if os.Getpid() == 1 {
		service("orphans", child.ReapOrphans)
	}
	if err := a.apply(ordered(c, a.control.State())); err != nil {
		fail(err)
	}
	a.restoreBreakers()
	service("store", a.outbox.Run)
	if a.traces != nil {
		service("traces", a.traces.Run)
	}
	err := a.awaitTurn(ctx)
	if err == nil && ctx.Err() == nil {
		answering, silence := context.WithCancel(background)
		defer silence()
		service("tokens", a.door.tokens.Run)
		service("spools", a.adoptSpools)
		// States and orders have one writer: it begins with the turn of this
		// process and ends with it.
		service("recorder", func(context.Context) error { return a.recorder.Run(answering) })
		service("minutes", func(context.Context) error { return a.minutes.Run(answering) })
		service("monitor", func(context.Context) error { return a.monitor.Run(answering) })
		service("alerts", func(context.Context) error { return a.alerts.Run(answering) })
		service("signals", func(context.Context) error { return a.signals.Run(answering) })
		service("scaler", func(context.Context) error { return a.scaler.Run(answering) })
		service("history", func(context.Context) error { return a.history.Run(answering) })
		service("control", func(context.Context) error { return a.control.Run(answering) })
		service("notices", func(context.Context) error { return a.listen(answering) })
		service("cleaner", func(context.Context) error { return a.cleanUp(answering) })
		service("admin", func(context.Context) error { return a.runAdmin(answering) })
		service("start", forgetStart)
		endRuns := a.beginRuns(ctx)
		wg.Go(func() { a.watch(ctx, fail) })
		wg.Go(func() {
			replaced := func() { silence(); fail(errReplaced) }
			if err := a.pass(ctx, replaced); err != nil {
				fail(err)
			}
		})
		err = a.serve(ctx, c)
		fail(nil)
		endRuns() // while there still is somebody to take their orders back
	}
	fail(nil) // also ends the watch when the gateway failed
	stop()
	a.processes.wait()
	a.remotes.wait()
	wg.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, errReplaced) {
		err = errors.Join(err, cause)
	}
	return err
}

// serve moves exchanges until ctx ends and those under way are done.
func (a *App) serve(ctx context.Context, c *config.Config) error {
	return a.gateway.Run(ctx, a.listener, gateway.ServeConfig{
		HeaderBytes: int(c.Limits.HeaderBytes), HeaderTimeout: c.Limits.HeaderTimeout.Std(),
		IdleTimeout: c.Limits.IdleTimeout.Std(), MinRate: int64(c.Limits.MinRate), Shutdown: c.ShutdownTimeout.Std(),
		Draining: a.draining, Handed: a.passing.handed.Load, Loops: loops(c.Engine), TLS: a.gatewayTLS(),
	})
}

// loops says how many poll loops the gateway runs.
func loops(engine string) int {
	if engine != "http1" || runtime.GOOS != "linux" {
		return 0
	}
	return spareProcessors()
}

// spareProcessors returns how many processors the scheduler had, and has given
// it as many more, one for each poll loop: a loop that sleeps holds its own, and
// to take it away and bring it back costs more than the loop's work.
var spareProcessors = sync.OnceValue(func() int { //nolint:gochecknoglobals // how many there are is the process's, as is that they were doubled
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * n)
	return n
})

// leanly keeps the garbage collector from letting memory double: what requests
// cost is mostly not garbage, so that collecting a little more often is nearly
// free. Who sets GOGC knows better.
var leanly = sync.OnceFunc(func() { //nolint:gochecknoglobals // the process has one collector
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
})

// gcPercent is how much may come on top of what is in use before it is
// collected.
const gcPercent = 60

// close frees what open opened; what Run closed already is closed twice.
func (a *App) close() {
	a.closeListeners()
	if a.store != nil {
		_ = a.store.Close() // what it had taken is safe
	}
	if a.data != nil {
		a.data.close()
	}
}

// Describe says what is being kept up, one line per function.
func (a *App) Describe() []string {
	c := a.config.Load()
	scheme, gateway, _ := strings.Cut(a.GatewayURL(), "://")
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(c.Functions)) {
		f := c.Functions[name]
		what := fmt.Sprintf("%d instances", len(f.Instances))
		if len(f.Instances) == 1 {
			what = "1 instance"
		}
		switch p := &f.Platform; {
		case p.Process != nil:
			what = fmt.Sprintf("%d x %s", p.Process.Instances, filepath.Base(p.Process.Command[0]))
		case p.DockerSwarm != nil:
			what = "tasks of " + p.DockerSwarm.Service + " on docker-swarm"
		case p.Kubernetes != nil:
			what = "pods of " + p.Kubernetes.Target + " on kubernetes"
		}
		for _, r := range f.Routes {
			lines = append(lines, fmt.Sprintf("  %-12s %s://%s%s  (%s)", name, scheme, firstOf(r.Host, gateway), r.Path, what))
		}
	}
	return lines
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
