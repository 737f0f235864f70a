package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Errors of Ask, Ready and Upgrade that callers may ask for.
var (
	// ErrNobody: nobody hands over at this place.
	ErrNobody = errors.New("no Holdfast is there to be taken over")
	// ErrRefused: the running process goes on; the error says why.
	ErrRefused = errors.New("the running Holdfast refused")
)

// Takeover is the side of the process that replaces another. Not safe for
// concurrent use.
type Takeover struct {
	// PID is the process that is being replaced.
	PID int

	wire  *wire
	note  json.RawMessage
	files []File
	done  bool
}

// Ask asks the process behind the socket at path for its sockets.
func Ask(ctx context.Context, path string) (*Takeover, error) {
	w, m, err := ask(ctx, path, wantTakeover, time.Now().Add(sendTimeout))
	if err != nil {
		return nil, err
	}
	if len(m.Files) != len(w.files) {
		w.close()
		return nil, fmt.Errorf("take over: %d files were announced and %d came", len(m.Files), len(w.files))
	}
	t := &Takeover{PID: m.PID, wire: w, note: m.Note}
	for i, h := range m.Files {
		t.files = append(t.files, File{h.Name, h.Address, w.files[i]})
	}
	w.files = nil
	return t, nil
}

// ask sends one request and returns the answer with the connection left open.
func ask(ctx context.Context, path, want string, until time.Time) (*wire, message, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, message{}, ErrNobody
	case err != nil:
		return nil, message{}, fmt.Errorf("take over: %w", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, message{}, fmt.Errorf("take over: %T is no local socket", conn)
	}
	w := &wire{conn: unixConn}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err = trust(unixConn, want, thisOne)
	if err == nil {
		err = w.send(message{Want: want, PID: os.Getpid()}, nil)
	}
	var m message
	if err == nil {
		m, err = w.receive(until)
	}
	if err == nil && m.Error != "" {
		err = fmt.Errorf("%w: %s", ErrRefused, m.Error)
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, io.EOF): // it was ending when asked
		err = ErrNobody
	}
	if err != nil {
		w.close()
		return nil, m, err
	}
	return w, m, nil
}

// Note reads what else the running process wanted to say.
func (t *Takeover) Note(into any) error {
	if err := json.Unmarshal(t.note, into); err != nil {
		return fmt.Errorf("read note of the running process: %w", err)
	}
	return nil
}

// File gives away a file that came, nil if there is none of this name.
func (t *Takeover) File(name string) *os.File {
	for i, f := range t.files {
		if f.Name == name && f.File != nil {
			t.files[i].File = nil
			return f.File
		}
	}
	return nil
}

// Listener gives away the socket of this name if it listens where address
// says, either as configured or in fact; "" is anywhere. nil: there is none.
func (t *Takeover) Listener(name, address string) (net.Listener, error) {
	for i, f := range t.files {
		if f.Name != name || f.File == nil {
			continue
		}
		l, err := net.FileListener(f.File)
		if err != nil {
			return nil, fmt.Errorf("take over %s: %w", name, err)
		}
		if address != "" && address != f.Address && address != l.Addr().String() {
			return nil, l.Close()
		}
		t.files[i].File = nil
		return l, f.File.Close()
	}
	return nil, nil //nolint:nilnil // "there is none" is an answer here
}

// Ready says that this process serves now. An error means that the old one
// goes on, and that this one must stop.
func (t *Takeover) Ready() error {
	if t.done {
		return nil
	}
	defer t.Close()
	sent := t.wire.send(message{Want: wantTurn, PID: os.Getpid()}, nil)
	m, err := t.wire.receive(time.Now().Add(2 * sendTimeout)) // also when it could not be sent: a refusal may be waiting
	switch {
	case err == nil && m.Error != "":
		return fmt.Errorf("%w: %s", ErrRefused, m.Error)
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil // handed over, or gone without a word: its place is free
	default:
		return fmt.Errorf("take over from process %d: %w", t.PID, errors.Join(sent, err))
	}
}

// Close ends the takeover; before Ready it gives it up. Files that were not
// asked for are closed. It may be called more than once.
func (t *Takeover) Close() {
	t.done = true
	for i := range t.files {
		if f := t.files[i].File; f != nil {
			_ = f.Close() // only a reference
			t.files[i].File = nil
		}
	}
	t.wire.close()
}

// Upgrade asks the process behind the socket at path to start its successor
// and returns the successor's process id once that serves.
func Upgrade(ctx context.Context, path string) (pid int, err error) {
	w, m, err := ask(ctx, path, wantUpgrade, time.Now().Add(defaultPatience+2*sendTimeout))
	if err != nil {
		return 0, err
	}
	w.close()
	return m.PID, nil
}
