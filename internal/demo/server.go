package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrCrashed is Run's error after a request asked for a crash: every
// connection was cut, and the process should end without another word.
var ErrCrashed = errors.New("crashed on request")

// stopTimeout is how long open requests may take after ctx ended.
const stopTimeout = 10 * time.Second

// Config is one instance of the demo function.
type Config struct {
	// Name is the function's name, the NAME of /api/NAME/.
	Name string
	// ID is the instance's id; "" is NAME-1.
	ID string
	// Listen is the address, host:port; port 0 is any free one.
	Listen string
	// Ledger is the file POSTs to ledger are appended to; several instances
	// may share one. "" refuses them.
	Ledger string
}

// Run serves until ctx ends; then streams end at once, other requests have 10
// seconds to finish, and it returns nil. It returns ErrCrashed after crash=1.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Name == "" || strings.ContainsAny(cfg.Name, "/? ") {
		return fmt.Errorf("run demo function: %q is no name", cfg.Name)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("run demo function: %w", err)
	}
	return serve(ctx, cfg, l)
}

// instance is the running function.
type instance struct {
	name, id string
	pid      int
	ledger   *os.File // nil: none
	meter    *meter
	memory   ballast
	switched atomic.Pointer[switching]

	served  atomic.Int64
	open    atomic.Int64   // requests being answered
	sockets sync.WaitGroup // hijacked connections, which Shutdown does not see
	ending  chan struct{}  // closed when Run is to end: streams stop
	crash   chan struct{}  // receives when the process is to end at once
}

// serve takes over the listener.
func serve(ctx context.Context, cfg Config, l net.Listener) error {
	in, err := newInstance(cfg)
	if err != nil {
		_ = l.Close()
		return fmt.Errorf("run demo function: %w", err)
	}
	var background sync.WaitGroup
	defer background.Wait()
	meterCtx, stopMeter := context.WithCancel(ctx)
	defer stopMeter()
	background.Go(func() { in.meter.run(meterCtx) })
	defer in.close()

	server := &http.Server{Handler: in.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	background.Go(func() { failed <- server.Serve(l) })
	select {
	case <-ctx.Done():
		return in.shutdown(ctx, server)
	case <-in.crash:
		_ = server.Close() // abrupt on purpose
		in.end()
		return ErrCrashed
	case err := <-failed:
		in.end()
		return fmt.Errorf("run demo function: %w", err)
	}
}

func newInstance(cfg Config) (*instance, error) {
	in := &instance{
		name: cfg.Name, id: cfg.ID, pid: os.Getpid(),
		ending: make(chan struct{}), crash: make(chan struct{}, 1),
	}
	if in.id == "" {
		in.id = cfg.Name + "-1"
	}
	in.meter = newMeter()
	if cfg.Ledger != "" {
		var err error
		in.ledger, err = os.OpenFile(cfg.Ledger, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open ledger: %w", err)
		}
	}
	return in, nil
}

// shutdown lets open requests finish, but not for ever.
func (in *instance) shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	close(in.ending)
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // they had their time
	}
	in.sockets.Wait()
	return nil
}

// end stops the streams when there was no shutdown.
func (in *instance) end() {
	close(in.ending)
	in.sockets.Wait()
}

func (in *instance) close() {
	in.memory.release()
	if in.ledger != nil {
		_ = in.ledger.Close() // each line was written through
	}
}

func (in *instance) handler() http.Handler {
	root := "/api/" + in.name
	mux := http.NewServeMux()
	mux.HandleFunc(root+"/health", in.health)
	mux.HandleFunc("POST "+root+"/switch", in.flip)
	mux.Handle(root+"/events", in.misbehaving(in.events))
	mux.Handle(root+"/socket", in.misbehaving(in.socket))
	mux.Handle(root+"/upload", in.misbehaving(in.upload))
	mux.Handle("POST "+root+"/ledger", in.recording(in.misbehaving(in.recorded)))
	mux.Handle(root, in.misbehaving(in.answer))
	mux.Handle(root+"/", in.misbehaving(in.answer))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		in.refuse(w, http.StatusNotFound, fmt.Sprintf("there is nothing at %s; this function answers under %s/", r.URL.Path, root))
	})
	return mux
}
