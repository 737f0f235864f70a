package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/alerting"
	"holdfast/internal/alerting/channel"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/monitor"
	"holdfast/internal/platform"
	"holdfast/internal/prober"
	"holdfast/internal/runs"
	"holdfast/internal/scaler"
	"holdfast/internal/store"
	"holdfast/internal/telemetry"
)

// Config says where the answers come from. Gateway, Events and Logs are
// required.
type Config struct {
	Gateway *gateway.Gateway
	Events  *event.Bus
	Logs    *telemetry.Logs
	Version string
	// Probe returns what the checks know of an instance; nil: nothing is checked.
	Probe func(function, instance string) (prober.View, bool)
	// Platform returns what is known of a function's platform; false: its
	// instances are listed. nil: there are no platforms.
	Platform func(function string) (PlatformStatus, bool)
	// Process returns what the platform knows of an instance; nil: there are no
	// platforms.
	Process func(function, instance string) (platform.Instance, bool)
	// Reload reads the configuration again and returns the changes as
	// sentences; nil: there is nothing to read again.
	Reload func() ([]string, error)
	// Config returns the configuration in force as YAML, secrets masked.
	Config func() ([]byte, error)
	// Values returns what the configuration says at and below a path.
	Values func(path string) []ConfigValue
	// Trial says what a State would come to, and how a function would be scaled
	// under it; nil: nothing can be tried.
	Trial func(s *control.State, function string) (Trial, error)
	// Schema is the JSON Schema of a function's configuration; nil: it is not shown.
	Schema func() []byte
	// Control carries out orders; nil: none are taken.
	Control *control.Control
	// Runs carries out load tests and drills; nil: there are none.
	Runs *runs.Runs
	// CheckURL says why a run may not send requests to a URL that is not the
	// gateway's; nil: it may.
	CheckURL func(ctx context.Context, url string) error
	// Store gives the logs; nil: there are none.
	Store Store
	// Node is whose events in Store are of this stream.
	Node string
	// StoreHealth says how the store is; nil: there is none.
	StoreHealth func() store.Health
	// History gives minute series; nil: there are none.
	History History
	// Performance is the monitor's latest measurement; nil: there is no monitor.
	Performance func() monitor.Snapshot
	// Scaling returns the decisions about a function's number of instances, and
	// why it is not scaled; nil: there is no scaler.
	Scaling func(function string) (v scaler.View, decided bool, rests string)
	// Bounds returns between how many instances a function is scaled; zeros: it is
	// not. nil: nothing is.
	Bounds func(function string) (least, most int)
	// ScalingSources returns where a function's own signals come from; nil: there
	// are none.
	ScalingSources func(function string) []ScalingSource
	// Alerts returns what is wrong now, the worst first; nil: nobody alerts.
	Alerts func() []channel.Alert
	// Alerting answers about alerts and takes silences; nil: nobody alerts.
	Alerting *alerting.Service
	// Figures fills in what metrics show besides what the other fields know; nil:
	// nothing.
	Figures func(*telemetry.MetricsConfig)
	// Guard stands before everything; nil: only the local socket has a role.
	Guard *access.Guard
	// Tokens are behind Guard; nil: there are none.
	Tokens *access.Tokens
	// Audit hears of changes that no other part writes down; nil: nobody does.
	Audit *access.Audit
	// MetricsToken asks for a token for /metrics on this machine too.
	MetricsToken bool
}

// Store is what is read of the store. store.Store is one.
type Store interface {
	ScalingActions(ctx context.Context, q store.Query) ([]store.ScalingAction, error)
	AuditLog(ctx context.Context, q store.Query) ([]store.AuditEntry, error)
	ConfigChanges(ctx context.Context, q store.Query) ([]store.ConfigChange, error)
	Events(ctx context.Context, q store.Query) ([]store.Event, error)
}

const (
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second // a reload may start processes
	bodyBytes     = 256 << 10
	shutdownLimit = time.Second
)

// Server answers on both listeners. Safe for concurrent use.
type Server struct {
	config     Config
	started    time.Time
	metrics    http.Handler
	draining   atomic.Bool
	wasReady   atomic.Bool // once is enough, see readiness
	recent     recent
	lately     lately
	ordered    orderCache
	live       *live
	rehearsals rehearsals
	handler    http.Handler
	api        *api
	document   []byte
	closing    chan struct{} // closed when Run ends: streams end
}

// New makes a server that answers nothing before Run.
func New(c Config) *Server {
	s := &Server{config: c, started: time.Now(), closing: make(chan struct{}), rehearsals: newRehearsals()}
	figures := telemetry.MetricsConfig{Source: c.Gateway, Version: c.Version, DroppedLogs: c.Gateway.DroppedLogs}
	if c.Performance != nil {
		figures.Performance = func() telemetry.Performance { return measured(c.Performance()) }
	}
	if c.Scaling != nil {
		figures.Scaling = s.scalingFigures
	}
	if c.Runs != nil {
		figures.Runs = func() telemetry.Runs { return endedRuns(c.Runs) }
	}
	figures.Ready = func() bool { return s.readiness(time.Now()).Ready }
	if c.Figures != nil {
		c.Figures(&figures)
	}
	s.metrics = telemetry.NewMetrics(figures).Handler()
	s.recent.start, s.lately.start = s.started, s.started
	s.live = newLive(self{c.Version, c.Node}, s.look)
	if s.config.Guard == nil {
		s.config.Guard = socketOnly()
	}
	s.handler = s.routes()
	if c.Audit != nil {
		s.handler = c.Audit.Handler(s.handler)
	}
	s.handler = s.config.Guard.Handler(s.handler)
	return s
}

// socketOnly knows no tokens.
func socketOnly() *access.Guard {
	g, err := access.New(access.Config{
		Tokens: access.NewTokens(access.TokensConfig{}),
		Refuse: Refuse,
	})
	if err != nil {
		panic("make a guard without tokens: " + err.Error()) // Tokens is the only field that can be wrong
	}
	return g
}

// Refuse writes a refusal of the guard as the API writes its own; it is
// meant for access.Config.
func Refuse(w http.ResponseWriter, _ *http.Request, why *access.Error) { writeError(w, why) }

// SetDraining makes /readyz say 503 from now on.
func (s *Server) SetDraining() { s.draining.Store(true) }

// Run serves both listeners until ctx ends, lets answers under way finish for
// at most a second, and closes the listeners. It may be called once.
func (s *Server) Run(ctx context.Context, tcp, socket net.Listener) error {
	servers := []*http.Server{s.server(), s.server()}
	served := make(chan error, len(servers))
	for n, l := range []net.Listener{tcp, socket} {
		go func() { served <- servers[n].Serve(l) }()
	}
	var looking sync.WaitGroup
	defer looking.Wait()
	seeing, blind := context.WithCancel(ctx)
	defer blind()
	looking.Go(func() { s.live.run(seeing) })
	err := s.watch(ctx, served)
	left := len(servers)
	if err != nil {
		left--
	}
	until, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer stop()
	close(s.closing)
	for _, srv := range servers {
		if srv.Shutdown(until) != nil {
			_ = srv.Close() // what did not finish in time is cut
		}
	}
	for range left {
		if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serve admin: %w", failed))
		}
	}
	return err
}

// watch keeps the samples fresh until ctx ends or a listener fails.
func (s *Server) watch(ctx context.Context, served <-chan error) error {
	ticker, often := time.NewTicker(recentStep), time.NewTicker(latelyStep)
	defer ticker.Stop()
	defer often.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			s.recent.rotate(s.config.Gateway.Functions(), now)
		case now := <-often.C:
			s.lately.take(s, now)
		case err := <-served:
			if errors.Is(err, http.ErrServerClosed) {
				err = errors.New("listener was closed")
			}
			return fmt.Errorf("serve admin: %w", err)
		}
	}
}

func (s *Server) server() *http.Server {
	srv := &http.Server{
		Handler: s.handler, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		ErrorLog: slog.NewLogLogger(s.config.Logs.For("admin").Handler(), slog.LevelDebug),
	}
	s.config.Guard.Prepare(srv)
	return srv
}

// audited makes a change and its entry in the audit log one thing. What
// somebody needs to find out why the store is down goes on without it.
func (s *Server) audited(ctx context.Context, c access.Change, do func() error) error {
	if s.config.Audit == nil {
		return do()
	}
	err := s.config.Audit.Do(ctx, c, func(context.Context) error { return do() })
	if errors.Is(err, store.ErrUnavailable) {
		s.config.Logs.For("admin").WarnContext(ctx, "change without audit entry: the store is down", "action", c.Action, "target", c.Target, "who", access.FromContext(ctx).Actor().Name)
		return do()
	}
	return err
}
