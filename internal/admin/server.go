package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/platform"
	"holdfast/internal/prober"
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
	// Process returns what the platform knows of an instance; nil: nothing is
	// started by Holdfast.
	Process func(function, instance string) (platform.Instance, bool)
	// Reload reads the configuration again and returns the changes as
	// sentences; nil: there is nothing to read again.
	Reload func() ([]string, error)
	// Config returns the configuration in force as YAML, secrets masked.
	Config func() ([]byte, error)
}

const (
	headTimeout   = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = 30 * time.Second // a reload may start processes
	idleTimeout   = 60 * time.Second
	headBytes     = 16 << 10
	bodyBytes     = 64 << 10
	shutdownLimit = time.Second
)

// Server answers on both listeners. Safe for concurrent use.
type Server struct {
	config   Config
	started  time.Time
	metrics  http.Handler
	draining atomic.Bool
	wasReady atomic.Bool // once is enough, see readiness
	recent   recent
}

// New makes a server that answers nothing before Run.
func New(c Config) *Server {
	s := &Server{config: c, started: time.Now()}
	s.metrics = telemetry.NewMetrics(telemetry.MetricsConfig{
		Source: c.Gateway, Version: c.Version, DroppedLogs: c.Gateway.DroppedLogs,
	}).Handler()
	s.recent.start = s.started
	return s
}

// SetDraining makes /readyz say 503 from now on.
func (s *Server) SetDraining() { s.draining.Store(true) }

// Run serves both listeners until ctx ends, lets answers under way finish for
// at most a second, and closes the listeners. It may be called once.
func (s *Server) Run(ctx context.Context, tcp, socket net.Listener) error {
	servers := []*http.Server{s.server(s.public()), s.server(s.private())}
	served := make(chan error, len(servers))
	for n, l := range []net.Listener{tcp, socket} {
		go func() { served <- servers[n].Serve(l) }()
	}
	err := s.watch(ctx, served)
	left := len(servers)
	if err != nil {
		left--
	}
	until, stop := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer stop()
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
	ticker := time.NewTicker(recentStep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			s.recent.rotate(s.config.Gateway.Functions(), now)
		case err := <-served:
			if errors.Is(err, http.ErrServerClosed) {
				err = errors.New("listener was closed")
			}
			return fmt.Errorf("serve admin: %w", err)
		}
	}
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headBytes,
		ErrorLog: slog.NewLogLogger(s.config.Logs.For("admin").Handler(), slog.LevelDebug),
	}
}
