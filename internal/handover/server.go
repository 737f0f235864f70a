package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// File is an open file on its way to a successor: a listening socket, or the
// lock.
type File struct {
	Name string
	// Address is where the socket listens, as it was configured ("127.0.0.1:0"
	// stays that), so that a successor with the same configuration knows it for
	// its own.
	Address string
	File    *os.File
}

// Offer is what a successor gets.
type Offer struct {
	Files []File // closed once sent
	Note  any    // anything else, as JSON
}

// Successor is a process that was started to take over.
type Successor struct {
	PID   int
	Ended <-chan error // gets how it went when the process is gone
}

// Config is how a Server is tied to the process it hands over. Offer and Taken
// are required.
type Config struct {
	// Offer makes the offer for one successor.
	Offer func() (Offer, error)
	// Taken is called once, when a successor serves: stop accepting. Nothing
	// is offered after it.
	Taken func(pid int)
	// Start starts a successor, for [Upgrade]. nil refuses upgrades.
	Start func() (Successor, error)
	// Patience is how long a successor may take to be ready; 0: two minutes.
	Patience time.Duration
	Logger   *slog.Logger // nil is silence
}

const defaultPatience = 2 * time.Minute

// Server is the side of the process that is replaced.
type Server struct {
	config Config
	busy   atomic.Bool   // a takeover is under way, or done
	taken  chan struct{} // closed when done
	pid    atomic.Int64  // of the successor
}

// NewServer makes a server that hands over nothing before Run.
func NewServer(c Config) *Server {
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{config: c, taken: make(chan struct{})}
}

// maxPeers bounds those who ask at the same time.
const maxPeers = 8

// Run answers successors on l until ctx ends or the process was taken over,
// closes l, and returns when everybody has been answered.
func (s *Server) Run(ctx context.Context, l *net.UnixListener) error {
	var peers sync.WaitGroup
	defer peers.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	peers.Go(func() {
		select {
		case <-ctx.Done():
		case <-s.taken:
		}
		_ = l.Close() // ends Accept
	})
	slots := make(chan struct{}, maxPeers)
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept successor: %w", err)
		}
		slots <- struct{}{}
		peers.Go(func() {
			defer func() { <-slots }()
			s.answer(ctx, conn)
		})
	}
}

func (s *Server) answer(ctx context.Context, conn *net.UnixConn) {
	w := &wire{conn: conn}
	defer w.close()
	// Ends what is awaited from the peer, whatever deadline that has, and leaves
	// the way for a refusal.
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseRead() })
	defer stop()
	err := s.serve(ctx, w)
	if err == nil || errors.Is(err, errGone) {
		return
	}
	if ctx.Err() != nil {
		err = errEnding
	}
	s.config.Logger.WarnContext(ctx, "did not hand over", "reason", err)
	_ = w.send(message{Error: err.Error()}, nil) // it may be gone
}

func (s *Server) serve(ctx context.Context, w *wire) error {
	m, err := w.receive(time.Now().Add(sendTimeout))
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	if err := trust(w.conn, m.Want, thePeer); err != nil {
		return err
	}
	switch {
	case m.Version != version:
		return fmt.Errorf("the other Holdfast speaks version %d of the handover, this one %d: restart instead", m.Version, version)
	case m.Want == wantTakeover:
		return s.handOver(w, m.PID)
	case m.Want == wantUpgrade:
		return s.upgrade(ctx, w)
	default:
		return fmt.Errorf("unknown request %q", m.Want)
	}
}

var errEnding = errors.New("this Holdfast is shutting down")

var (
	errBusy = errors.New("another process is taking over already")
	errGone = errors.New("the place is another process's")
)

// whyBusy tells a takeover under way from one that is done: then whoever asks
// finds the successor at the same place, when he asks again.
func (s *Server) whyBusy() error {
	select {
	case <-s.taken:
		return errGone
	default:
		return errBusy
	}
}

func (s *Server) handOver(w *wire, pid int) error {
	if !s.busy.CompareAndSwap(false, true) {
		return s.whyBusy()
	}
	if err := s.offer(w); err != nil {
		s.busy.Store(false)
		return err
	}
	s.config.Logger.Info("successor is starting", "pid", pid)
	m, err := w.receive(time.Now().Add(s.config.Patience))
	if err == nil && m.Want != wantTurn {
		err = fmt.Errorf("unexpected message %q", m.Want)
	}
	if err != nil {
		s.busy.Store(false)
		return fmt.Errorf("wait for process %d to be ready: %w", pid, err)
	}
	s.pid.Store(int64(pid))
	s.config.Taken(pid)
	close(s.taken)
	return w.send(message{PID: os.Getpid()}, nil)
}

func (s *Server) offer(w *wire) error {
	o, err := s.config.Offer()
	defer func() {
		for _, f := range o.Files {
			_ = f.File.Close() // a copy of what goes on being used
		}
	}()
	if err != nil {
		return fmt.Errorf("offer sockets: %w", err)
	}
	note, err := json.Marshal(o.Note)
	if err != nil {
		return fmt.Errorf("offer sockets: %w", err)
	}
	m := message{PID: os.Getpid(), Note: note}
	var files []*os.File
	for _, f := range o.Files {
		m.Files = append(m.Files, fileHead{f.Name, f.Address})
		files = append(files, f.File)
	}
	return w.send(m, files)
}

// upgrade starts a successor and waits for its success or its end.
func (s *Server) upgrade(ctx context.Context, w *wire) error {
	if s.config.Start == nil {
		return errors.New("this Holdfast cannot start its successor: use holdfast up --replace")
	}
	if s.busy.Load() {
		return s.whyBusy()
	}
	next, err := s.config.Start()
	if err != nil {
		return fmt.Errorf("start successor: %w", err)
	}
	patience := time.NewTimer(s.config.Patience)
	defer patience.Stop()
	select {
	case <-s.taken:
		return w.send(message{PID: int(s.pid.Load())}, nil)
	case err := <-next.Ended:
		return fmt.Errorf("the new process (pid %d) ended before it was ready (%w): its log says why, this one goes on", next.PID, err)
	case <-patience.C:
		return fmt.Errorf("the new process (pid %d) is not ready after %s: this one goes on", next.PID, s.config.Patience)
	case <-ctx.Done():
	}
	if pid := s.pid.Load(); pid != 0 { // it ended because of that, which is noted as done only after it
		return w.send(message{PID: int(pid)}, nil)
	}
	return errEnding
}
