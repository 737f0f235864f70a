package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// dataDir is where Holdfast keeps what outlives it. One process uses it at a
// time.
type dataDir struct {
	path string
	lock *os.File
}

// Local sockets in the data directory.
const (
	SocketName   = "holdfast.sock" // for the terminal commands
	HandoverName = "handover.sock" // for a process that takes over
)

var errInUse = errors.New("is in use by another holdfast: stop it, take it over with --replace, or choose another with --data-dir")

func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close() // the lock was not taken
		return nil, fmt.Errorf("data directory %s %w", path, errInUse)
	}
	return &dataDir{path, lock}, nil
}

func (d *dataDir) close() { _ = d.lock.Close() } // frees the lock

const secretBytes = 32

// secret returns a secret that is made once and stays.
func (d *dataDir) secret(name string) ([]byte, error) {
	path := filepath.Join(d.path, name)
	b, err := os.ReadFile(path)
	if err == nil && len(b) == secretBytes {
		return b, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	b = make([]byte, secretBytes)
	rand.Read(b) // never fails
	return b, writeWhole(path, b)
}

// writeWhole writes a file so that it is there with all of its content or not
// at all.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // only the leftover
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// listen opens a local socket. The directory's lock says that nobody else
// answers on one that is left over.
func (d *dataDir) listen(name string) (*net.UnixListener, error) {
	path := filepath.Join(d.path, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open local socket %s: %w (a path of a socket may have 107 bytes; --data-dir chooses a shorter one)", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect local socket: %w", err), l.Close())
	}
	return asUnix(l)
}

func asUnix(l net.Listener) (*net.UnixListener, error) {
	local, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("local socket is a %T", l), l.Close())
	}
	local.SetUnlinkOnClose(true)
	return local, nil
}

// listen opens a TCP listener and says what to do when it cannot.
func listen(key, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is taken by another program: stop it, or choose another port (0: any)", key, address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: %s needs more rights: choose a port above 1023, or give the binary cap_net_bind_service", key, address)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// copyLock returns another reference to the lock: it is held until the last one
// is closed.
func (d *dataDir) copyLock() (*os.File, error) {
	raw, err := d.lock.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, dupErr
	}
	return os.NewFile(uintptr(fd), d.lock.Name()), nil
}
