package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/handover"
	"holdfast/internal/systemd"
)

const (
	// turnLimit is how long the functions may take by default.
	turnLimit = time.Minute
	// releaseLimit is how long one that is already ending may take to let go of
	// the data directory.
	releaseLimit = 45 * time.Second

	turnPoll = 20 * time.Millisecond
)

var errReplaced = errors.New("replaced by another process")

// passing is what concerns the processes before and after this one.
type passing struct {
	takeover *handover.Takeover // from whom it is taken over; nil: from nobody
	listener *net.UnixListener  // where a successor asks
	gateway  *handover.Socket   // its listener may be closed: loops have duplicates
	sockets  []systemd.Socket   // opened by systemd, not yet used
	manager  systemd.Notifier
	handed   atomic.Bool // to a successor
}

// offerNote is told to a successor besides the sockets.
type offerNote struct {
	// Down are the functions without an available instance: a successor cannot
	// be asked to have more than its predecessor.
	Down []string `json:"down"`
}

// takeData opens the data directory, from a running Holdfast if it is to be
// replaced.
func (a *App) takeData(path string) error {
	var err error
	a.data, err = openDataDir(path)
	for until := time.Now().Add(releaseLimit); a.options.Replace && errors.Is(err, errInUse); {
		// Its holder hands over, or is ending and frees it in a moment.
		t, asked := handover.Ask(context.Background(), filepath.Join(path, HandoverName))
		if asked == nil {
			a.passing.takeover = t
			a.data = &dataDir{path: path, lock: t.File("lock")}
			if a.data.lock == nil {
				return errors.New("replace the running holdfast: it did not hand over the lock of the data directory")
			}
			return nil
		}
		if !errors.Is(asked, handover.ErrNobody) || time.Now().After(until) {
			return fmt.Errorf("replace the running holdfast: %w", asked)
		}
		<-time.After(turnPoll)
		a.data, err = openDataDir(path)
	}
	return err
}

// openListeners takes each listener from where it can be had: from the process
// that is replaced, from systemd, or from the kernel.
func (a *App) openListeners(c *config.Config) (err error) {
	a.passing.manager = systemd.NewNotifier(a.options.Config.Environ)
	if a.passing.sockets, err = systemd.Sockets(a.options.Config.Environ); err != nil {
		return err
	}
	if a.listener, err = a.listenTCP("gateway", "listen", c.Listen); err != nil {
		return err
	}
	if a.passing.gateway, err = handover.Keep(a.listener); err != nil {
		return fmt.Errorf("keep the gateway's socket: %w", err)
	}
	if a.adminListener, err = a.listenTCP("admin", "admin.listen", c.Admin.Listen); err != nil {
		return err
	}
	for _, s := range a.passing.sockets {
		return fmt.Errorf("systemd passed a socket (%s, named %q) that nothing here listens on: use the names gateway and admin", s.Listener.Addr(), s.Name)
	}
	if a.socket, err = a.listenLocal(SocketName); err != nil {
		return err
	}
	a.passing.listener, err = a.listenLocal(HandoverName)
	return err
}

func (a *App) listenTCP(name, key, address string) (net.Listener, error) {
	if t := a.passing.takeover; t != nil {
		if l, err := t.Listener(name, address); l != nil || err != nil {
			return l, err
		}
	}
	if l := a.systemdSocket(name); l != nil {
		return l, nil
	}
	return listen(key, address)
}

// systemdSocket takes the socket of this name; unnamed ones are the gateway's
// first, then the admin listener's.
func (a *App) systemdSocket(name string) net.Listener {
	list := a.passing.sockets
	i := slices.IndexFunc(list, func(s systemd.Socket) bool { return s.Name == name })
	if i < 0 {
		i = slices.IndexFunc(list, func(s systemd.Socket) bool { return s.Name != "gateway" && s.Name != "admin" })
	}
	if i < 0 {
		return nil
	}
	l := list[i].Listener
	a.passing.sockets = slices.Delete(list, i, i+1)
	return l
}

func (a *App) listenLocal(name string) (*net.UnixListener, error) {
	if t := a.passing.takeover; t != nil {
		if l, err := t.Listener(name, ""); l != nil || err != nil {
			if err != nil {
				return nil, err
			}
			return asUnix(l)
		}
	}
	return a.data.listen(name)
}

// closeListeners frees what openListeners took; what was closed already is
// closed twice. Files of local sockets stay if a successor answers on them.
func (a *App) closeListeners() {
	if t := a.passing.takeover; t != nil {
		t.Close()
	}
	mine := !a.passing.handed.Load() && !a.passing.takenFrom()
	for _, l := range []*net.UnixListener{a.socket, a.passing.listener} {
		if l != nil {
			l.SetUnlinkOnClose(mine)
			_ = l.Close()
		}
	}
	a.passing.gateway.Close()
	for _, l := range []net.Listener{a.listener, a.adminListener} {
		if l != nil {
			_ = l.Close()
		}
	}
	for _, s := range a.passing.sockets {
		_ = s.Listener.Close()
	}
}

// takenFrom says that the process to be replaced still has everything.
func (p *passing) takenFrom() bool { return p.takeover != nil }

// awaitTurn waits, when another process is to be replaced, until the functions
// can serve.
func (a *App) awaitTurn(ctx context.Context) error {
	t := a.passing.takeover
	if t == nil {
		return nil
	}
	var note offerNote
	if err := t.Note(&note); err != nil {
		return err
	}
	a.logger.InfoContext(ctx, "taking over", "from_pid", t.PID)
	if err := a.awaitFunctions(ctx, note.Down); err != nil {
		return fmt.Errorf("replace the running holdfast (pid %d, it goes on): %w", t.PID, err)
	}
	return nil
}

// awaitFunctions waits for all instances at first: taking over with half of
// them could overload those. Later one of each function will do.
func (a *App) awaitFunctions(ctx context.Context, excused []string) error {
	limit := cmp.Or(a.options.ReplaceTimeout, turnLimit)
	ticker := time.NewTicker(turnPoll)
	defer ticker.Stop()
	for began := time.Now(); ; {
		some, whole := a.lacking(excused)
		waited := time.Since(began)
		switch {
		case len(whole) == 0, len(some) == 0 && waited > limit/2:
			return nil
		case waited > limit:
			return fmt.Errorf("not ready after %s: no instance is available of %s", limit, strings.Join(some, ", "))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lacking names the functions without an available instance, and those without
// all of them.
func (a *App) lacking(excused []string) (some, whole []string) {
	now := time.Now()
	for _, fn := range a.gateway.Functions() {
		if slices.Contains(excused, fn.Name()) {
			continue
		}
		stats := fn.Balancer().Stats(now)
		if stats.Available == 0 {
			some = append(some, fn.Name())
		}
		if stats.Available == 0 || stats.Available < len(stats.Instances)-spareCount(&stats) {
			whole = append(whole, fn.Name())
		}
	}
	return some, whole
}

// pass takes this process's turn, then offers it to a successor until ctx ends
// or one has taken it.
func (a *App) pass(ctx context.Context, taken func()) error {
	if ctx.Err() != nil {
		return nil // it never came to that
	}
	if t := a.passing.takeover; t != nil {
		if err := t.Ready(); err != nil {
			return fmt.Errorf("replace the running holdfast: %w", err)
		}
		a.passing.takeover = nil
		a.logger.InfoContext(ctx, "took over", "from_pid", t.PID)
	}
	a.notify("ready", a.passing.manager.Ready)
	stop := a.feedWatchdog()
	defer stop()
	c := a.config.Load()
	server := handover.NewServer(handover.Config{
		Logger: a.logs.For("handover"), Start: a.startSuccessor,
		Offer: func() (handover.Offer, error) { return a.offer(c) },
		Taken: func(pid int) {
			a.logger.InfoContext(ctx, "replaced: finishing what is under way", "by_pid", pid)
			a.passing.handed.Store(true)
			a.socket.SetUnlinkOnClose(false)
			a.passing.listener.SetUnlinkOnClose(false)
			taken()
		},
	})
	return server.Run(ctx, a.passing.listener)
}

// offer copies what a successor needs; c is the configuration of the start,
// from which the addresses come.
func (a *App) offer(c *config.Config) (o handover.Offer, err error) {
	add := func(name, address string, file func() (*os.File, error)) {
		f, fileErr := file()
		if fileErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, fileErr))
			return
		}
		o.Files = append(o.Files, handover.File{Name: name, Address: address, File: f})
	}
	add("lock", "", a.data.copyLock)
	add("gateway", c.Listen, a.passing.gateway.File)
	add("admin", c.Admin.Listen, fileOf(a.adminListener))
	add(SocketName, "", a.socket.File)
	add(HandoverName, "", a.passing.listener.File)
	down, _ := a.lacking(nil)
	o.Note = offerNote{Down: down}
	return o, err
}

func fileOf(l net.Listener) func() (*os.File, error) {
	return func() (*os.File, error) {
		f, ok := l.(interface{ File() (*os.File, error) })
		if !ok {
			return nil, fmt.Errorf("a %T cannot be handed over", l)
		}
		return f.File()
	}
}

var errNoSuccessor = errors.New("this Holdfast does not know how it was started")

// startSuccessor starts this Holdfast anew. The process outlives this one, so
// nobody here waits for it but the one who asked.
func (a *App) startSuccessor() (handover.Successor, error) {
	if a.options.Successor == nil {
		return handover.Successor{}, errNoSuccessor
	}
	cmd := a.options.Successor()
	if err := cmd.Start(); err != nil {
		return handover.Successor{}, err
	}
	ended := make(chan error, 1)
	go func() { // ends with the successor, or with this process
		if err := cmd.Wait(); err != nil {
			ended <- err
			return
		}
		ended <- errors.New("exit status 0")
	}()
	return handover.Successor{PID: cmd.Process.Pid, Ended: ended}, nil
}

// draining is told when the gateway takes no new exchanges.
func (a *App) draining() {
	a.passing.gateway.Close()
	a.admin.SetDraining()
	if !a.passing.handed.Load() { // else the service goes on in another process
		a.notify("stopping", a.passing.manager.Stopping)
	}
}

func (a *App) notify(what string, tell func() error) {
	if a.passing.handed.Load() {
		return // the successor speaks for the service
	}
	if err := tell(); err != nil {
		a.logger.Warn("tell the service manager", "what", what, "error", err)
	}
}

// feedWatchdog tells the service manager that this process lives, until stop.
func (a *App) feedWatchdog() (stop func()) {
	every := a.passing.manager.Watchdog() / 2
	if every == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			a.notify("alive", a.passing.manager.Alive)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
