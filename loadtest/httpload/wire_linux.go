package httpload

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// wire is a TCP connection that reads and writes by calls the scheduler is not told of. It would take each one for the end
// of a rest and wake the thread that watches over goroutines, which looks at them every 20 µs for a while: at a few
// thousand requests a second that costs more than sending them. A call that does not wait needs no such watch.
type wire struct {
	net.Conn

	sys       syscall.RawConn
	in, out   []byte // of the Read and the Write under way
	lender    lender // of in
	got, sent int
	inErr     syscall.Errno
	outErr    syscall.Errno
	read      func(fd uintptr) bool
	write     func(fd uintptr) bool
	push      func(fd uintptr) bool
}

// wired makes a wire of a TCP connection and leaves others as they are.
func wired(raw net.Conn) net.Conn {
	tcp, ok := raw.(*net.TCPConn)
	if !ok {
		return raw
	}
	sys, err := tcp.SyscallConn()
	if err != nil {
		return raw
	}
	return newWire(raw, sys)
}

func newWire(raw net.Conn, sys syscall.RawConn) *wire {
	w := &wire{Conn: raw, sys: sys}
	w.read, w.write, w.push = w.readNow, w.writeAll, w.writeNow
	return w
}

// Read implements net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	w.in, w.lender = b, nil
	return w.receive(len(b) == 0)
}

// ReadLent is Read into room that is held only while there are bytes, which is not as long as it waits for them.
func (w *wire) ReadLent(from lender) (int, error) {
	w.lender = from
	return w.receive(false)
}

// receive waits for bytes.
func (w *wire) receive(none bool) (int, error) {
	if err := w.sys.Read(w.read); err != nil {
		return 0, err
	}
	if w.inErr != 0 {
		return 0, w.failure("read", w.inErr)
	}
	if w.got == 0 && !none {
		return 0, io.EOF
	}
	return w.got, nil
}

func (w *wire) readNow(fd uintptr) bool {
	if w.lender != nil {
		w.in = w.lender.room()
	}
	w.got, w.inErr = rawCall(syscall.SYS_READ, fd, w.in)
	if w.lender != nil {
		if w.in = nil; w.got == 0 {
			w.lender.unused()
		}
	}
	return w.inErr != syscall.EAGAIN
}

// Write implements net.Conn.
func (w *wire) Write(b []byte) (int, error) {
	return w.put(b, w.write)
}

// TryWrite writes what the system takes at once, which may be nothing.
func (w *wire) TryWrite(b []byte) (int, error) {
	n, err := w.put(b, w.push)
	if errors.Is(err, syscall.EAGAIN) {
		err = nil
	}
	return n, err
}

func (w *wire) put(b []byte, how func(fd uintptr) bool) (int, error) {
	w.out, w.sent = b, 0
	if err := w.sys.Write(how); err != nil {
		return w.sent, err
	}
	if w.outErr != 0 {
		return w.sent, w.failure("write", w.outErr)
	}
	return w.sent, nil
}

func (w *wire) writeAll(fd uintptr) bool {
	for w.writeNow(fd); w.outErr == 0 && w.sent < len(w.out); {
		w.writeNow(fd)
	}
	return w.outErr != syscall.EAGAIN
}

func (w *wire) writeNow(fd uintptr) bool {
	n, errno := rawCall(syscall.SYS_WRITE, fd, w.out[w.sent:])
	w.sent, w.outErr = w.sent+n, errno
	return true
}

// failure says what went wrong in the words of package net.
func (w *wire) failure(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: w.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}

// rawCall makes a system call that takes a buffer and does not wait.
func rawCall(trap, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if errno == 0 {
			return int(n), 0 //nolint:gosec // no more than the buffer
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}
