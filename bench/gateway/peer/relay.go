//go:build linux

package peer

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// RelayVerb as first argument makes the bench a relay that copies bytes and
// does nothing else; the second is its address, the third its backend's. What
// it adds to the latency is what waking a process in between costs on this
// machine, whatever that process does.
const RelayVerb = "relay"

// Relay starts this program as such a relay.
func Relay(ctx context.Context, dir, listen, backend string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return launch(ctx, command{
		program: self, args: []string{RelayVerb, listen, backend}, listen: listen, log: filepath.Join(dir, "relay.log"),
	})
}

// ServeRelay is the relay until ctx ends. One thread waits for all connections
// and copies, without Go's scheduler in between.
func ServeRelay(ctx context.Context, listen, backend string) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	r := &relay{backend: backend, other: map[int]int{}, files: map[int]*os.File{}}
	if r.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("make an epoll set: %w", err)
	}
	f, err := file(ln)
	if err != nil {
		return err
	}
	r.listener = int(f.Fd())
	r.files[r.listener] = f
	if err := r.watch(r.listener); err != nil {
		return err
	}
	runtime.LockOSThread()
	return r.run(ctx)
}

type relay struct {
	backend        string
	poll, listener int
	other          map[int]int      // the connection on the other side
	files          map[int]*os.File // keeps the descriptors open
}

func (r *relay) watch(fd int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("make descriptor %d not block: %w", fd, err)
	}
	return unix.EpollCtl(r.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}) //nolint:gosec // a descriptor
}

func (r *relay) run(ctx context.Context) error {
	const second = 1000 // ms; how late it may see that ctx has ended
	events := make([]unix.EpollEvent, 64)
	buf := make([]byte, 16<<10)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(r.poll, events, second)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for events: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == r.listener {
				r.accept(ctx)
			} else {
				r.copy(int(e.Fd), buf)
			}
		}
	}
	return nil
}

// file is a descriptor of its own for a socket.
func file(socket any) (*os.File, error) {
	s, ok := socket.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("take the descriptor of a %T: it has none", socket)
	}
	return s.File()
}

// accept takes a client and dials its backend. One that fails is closed: the
// bench then says that the relay is missing.
func (r *relay) accept(ctx context.Context) {
	client, _, err := unix.Accept4(r.listener, unix.SOCK_CLOEXEC)
	if err != nil {
		return
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.backend)
	if err != nil {
		unix.Close(client) //nolint:errcheck,gosec // nobody is left to tell
		return
	}
	defer conn.Close() // the file is another descriptor
	f, err := file(conn)
	if err != nil {
		unix.Close(client) //nolint:errcheck,gosec // as above
		return
	}
	backend := int(f.Fd())
	r.files[backend], r.other[client], r.other[backend] = f, backend, client
	for _, fd := range []int{client, backend} {
		if unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) != nil || r.watch(fd) != nil {
			r.drop(fd)
			return
		}
	}
}

// copy moves what is there. A message of this bench fits a socket's buffer.
func (r *relay) copy(from int, buf []byte) {
	to, ok := r.other[from]
	if !ok {
		return // dropped a moment ago
	}
	n, err := unix.Read(from, buf)
	if err == unix.EAGAIN {
		return
	}
	if n > 0 {
		if m, err := unix.Write(to, buf[:n]); err == nil && m == n {
			return
		}
	}
	r.drop(from)
}

func (r *relay) drop(fd int) {
	for _, end := range []int{fd, r.other[fd]} {
		delete(r.other, end)
		if f := r.files[end]; f != nil {
			f.Close() //nolint:errcheck,gosec // only read and written
			delete(r.files, end)
			continue
		}
		unix.Close(end) //nolint:errcheck,gosec // as above
	}
}
