package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// ErrCrashed is Run's error after a request asked for a crash: every
// connection was cut, and the process should end without another word.
var ErrCrashed = errors.New("crashed on request")

// functionName is what may stand in a path and in a mux pattern as it is.
var functionName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

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
	// Ledger is the file POSTs to ledger are appended to, or the URL of a
	// PostgreSQL database (postgres://...) whose table holdfast_demo_ledger gets
	// them; several instances may share one. "" refuses them.
	Ledger string
}

// Run serves until ctx ends; then streams end at once, other requests have 10
// seconds to finish, and it returns nil. It returns ErrCrashed after crash=1.
func Run(ctx context.Context, cfg Config) error {
	if !functionName.MatchString(cfg.Name) {
		return fmt.Errorf("run demo function: %q is no name; use letters, digits and . _ -", cfg.Name)
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
	ledger   ledger // nil: none
	meter    *meter
	memory   ballast
	requests gate
	switched atomic.Pointer[switching]

	served atomic.Int64
	open   atomic.Int64  // requests being answered, health checks aside
	ending chan struct{} // closed when Run is to end: streams stop
	crash  chan struct{} // receives when the process is to end at once
}

// serve takes over the listener.
func serve(ctx context.Context, cfg Config, l net.Listener) error {
	in, err := newInstance(ctx, cfg)
	if err != nil {
		_ = l.Close() // nothing was accepted
		return fmt.Errorf("run demo function: %w", err)
	}
	defer in.close()
	var background sync.WaitGroup
	defer background.Wait()
	meterCtx, stopMeter := context.WithCancel(ctx)
	defer stopMeter()
	background.Go(func() { in.meter.run(meterCtx) })

	requestCtx, cancelRequests := context.WithCancel(context.WithoutCancel(ctx))
	server := &http.Server{
		Handler:           in.requests.guard(in.handler()),
		BaseContext:       func(net.Listener) context.Context { return requestCtx },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than a gateway keeps an idle connection
	}
	failed := make(chan error, 1)
	background.Go(func() { failed <- server.Serve(l) })
	select {
	case <-ctx.Done():
		close(in.ending)
		shutDown(requestCtx, server)
		err = nil
	case <-in.crash:
		close(in.ending)
		err = ErrCrashed
	case err = <-failed:
		close(in.ending)
		err = fmt.Errorf("run demo function: %w", err)
	}
	_ = server.Close() // whoever is left had their time
	cancelRequests()
	in.requests.close()
	return err
}

// shutDown lets open requests finish, but not for ever.
func shutDown(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	_ = server.Shutdown(ctx) // the error is that the time is over
}

// gate counts the handlers at work, those of hijacked connections too.
type gate struct {
	mu     sync.Mutex // guards closed, and Add against Wait
	closed bool
	inside sync.WaitGroup
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

// close returns when the last handler has.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}

func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter() {
			panic(http.ErrAbortHandler)
		}
		defer g.inside.Done()
		next.ServeHTTP(w, r)
	})
}

func newInstance(ctx context.Context, cfg Config) (*instance, error) {
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
		if in.ledger, err = openLedger(ctx, cfg.Ledger); err != nil {
			return nil, fmt.Errorf("open ledger: %w", err)
		}
	}
	return in, nil
}

func (in *instance) close() {
	in.memory.release()
	if in.ledger != nil {
		in.ledger.close()
	}
}

func (in *instance) handler() http.Handler {
	root := "/api/" + in.name
	mux := http.NewServeMux()
	mux.HandleFunc(root+"/health", in.health)
	mux.HandleFunc(root+"/switch", in.onlyPost(in.flip))
	mux.Handle(root+"/events", in.misbehaving(in.events))
	mux.Handle(root+"/socket", in.misbehaving(in.socket))
	mux.Handle(root+"/upload", in.misbehaving(in.upload))
	mux.HandleFunc(root+"/ledger", in.onlyPost(in.recording(in.misbehaving(in.recorded))))
	mux.Handle(root, in.misbehaving(in.answer))
	mux.Handle(root+"/", in.misbehaving(in.answer))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		in.refuse(w, http.StatusNotFound, fmt.Sprintf("there is nothing at %s; this function answers under %s/", r.URL.Path, root))
	})
	return mux
}

func (in *instance) onlyPost(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			in.refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s takes POST only", r.URL.Path))
			return
		}
		next(w, r)
	}
}
