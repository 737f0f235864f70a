package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	version     = 1
	maxMessage  = 256 << 10
	maxFiles    = 64              // the kernel allows 253 in one message
	sendTimeout = 5 * time.Second // a message fits the socket's buffer
)

// What can be asked for.
const (
	wantTakeover = "takeover"
	wantUpgrade  = "upgrade"
	wantTurn     = "ready" // in a takeover
)

// message is what both sides send: a line of JSON.
type message struct {
	Version int             `json:"version"`
	Want    string          `json:"want,omitempty"`  // of a request
	Error   string          `json:"error,omitempty"` // a refusal, and why
	PID     int             `json:"pid,omitempty"`
	Note    json.RawMessage `json:"note,omitempty"`
	Files   []fileHead      `json:"files,omitempty"`
}

// fileHead names a file that travels beside the message, in the same order.
type fileHead struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
}

// wire is one end of the local socket. Not safe for concurrent use.
type wire struct {
	conn  *net.UnixConn
	held  []byte
	files []*os.File // received, not yet given away
}

// send writes a message; files, at most maxFiles, go with its first byte.
func (w *wire) send(m message, files []*os.File) error {
	m.Version = version
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(files) > maxFiles || len(b) >= maxMessage {
		return fmt.Errorf("send %d files and %d bytes: too much for one message", len(files), len(b))
	}
	var fds []int
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return fmt.Errorf("send %s: %w", f.Name(), err)
		}
		// The number stays valid: the caller keeps the file open. File.Fd would
		// make it blocking, for every process that holds it.
		if err := raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
			return fmt.Errorf("send %s: %w", f.Name(), err)
		}
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	b = append(b, '\n')
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	n, _, err := w.conn.WriteMsgUnix(b, rights, nil)
	if err == nil && n < len(b) {
		_, err = w.conn.Write(b[n:])
	}
	return err
}

// receive reads the next message; files that came with it are in w.files.
// Without a deadline it waits for good.
func (w *wire) receive(deadline time.Time) (message, error) {
	var m message
	if err := w.conn.SetReadDeadline(deadline); err != nil {
		return m, err
	}
	for {
		if line, rest, ok := bytes.Cut(w.held, []byte{'\n'}); ok {
			w.held = rest
			if err := json.Unmarshal(line, &m); err != nil {
				return m, fmt.Errorf("read message: %w", err)
			}
			return m, nil
		}
		if len(w.held) >= maxMessage {
			return m, errors.New("read message: it is too long")
		}
		if err := w.fill(); err != nil {
			return m, err
		}
	}
}

func (w *wire) fill() error {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := w.conn.ReadMsgUnix(buf, oob)
	if oobn > 0 {
		err = errors.Join(err, w.takeFiles(oob[:oobn]))
	}
	if flags&unix.MSG_CTRUNC != 0 {
		err = errors.Join(err, errors.New("receive files: some were lost"))
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	w.held = append(w.held, buf[:max(n, 0)]...)
	return err
}

func (w *wire) takeFiles(oob []byte) error {
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("receive files: %w", err)
	}
	for _, c := range controls {
		fds, err := unix.ParseUnixRights(&c)
		if err != nil {
			return fmt.Errorf("receive files: %w", err)
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			w.files = append(w.files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return nil
}

func (w *wire) close() {
	for _, f := range w.files {
		_ = f.Close() // nobody wanted it; the other side has its own
	}
	w.files = nil
	_ = w.conn.Close()
}

// trust refuses to speak with a process of another user: what is handed over is
// as good as the process itself. asker is the user who asks, of the two. Root
// may ask for an upgrade: that hands nothing to root, and the user of a sandboxed
// service cannot reach its directory from outside.
func trust(conn *net.UnixConn, want string, asker func(own, peer int) int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var uid int
	var peerErr error
	if err := raw.Control(func(fd uintptr) { uid, peerErr = peerUser(int(fd)) }); err != nil {
		return err
	}
	if peerErr != nil {
		return fmt.Errorf("ask who is at the other end: %w", peerErr)
	}
	own := os.Geteuid()
	if uid == own || want == wantUpgrade && asker(own, uid) == 0 {
		return nil
	}
	return fmt.Errorf("the other end belongs to user %d, this Holdfast to user %d: run both as the same one", uid, own)
}

func thePeer(_, peer int) int { return peer }
func thisOne(own, _ int) int  { return own }
