// Package systemd speaks with the service manager that started Holdfast, over
// the two things it hands to a service: a socket to be told on (sd_notify), and
// sockets that it opened in the service's name (socket activation). Both are
// found in environment variables; without them everything here does nothing,
// and nothing of systemd is needed to build or to run.
package systemd

import (
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells the service manager what goes on. The zero value tells
// nobody. Safe for concurrent use.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// NewNotifier finds the manager in an environment, as os.Environ gives it.
func NewNotifier(environ []string) Notifier {
	n := Notifier{socket: value(environ, "NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(value(environ, "WATCHDOG_USEC"), 10, 64)
	pid := value(environ, "WATCHDOG_PID")
	fits := usec > 0 && usec <= math.MaxInt64/int64(time.Microsecond) // more is for ever, which systemd writes as a huge number
	if err == nil && fits && n.socket != "" && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Ready says that the service serves, also after a reload, and which process
// is the service: a successor is not the one that systemd started.
func (n Notifier) Ready() error {
	return n.tell("READY=1\nMAINPID=" + strconv.Itoa(os.Getpid()))
}

// Reloading says that the configuration is being read again; Ready ends it.
func (n Notifier) Reloading() error {
	usec, err := monotonic()
	if err != nil {
		return err
	}
	return n.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", usec))
}

// Stopping says that the service is on its way out.
func (n Notifier) Stopping() error { return n.tell("STOPPING=1") }

// Alive feeds the watchdog.
func (n Notifier) Alive() error { return n.tell("WATCHDOG=1") }

// Watchdog is how often the manager wants to hear from Alive at least; 0: not
// at all. Half of it leaves room for a late one.
func (n Notifier) Watchdog() time.Duration { return n.watchdog }

func (n Notifier) tell(state string) error {
	if n.socket == "" {
		return nil
	}
	name := n.socket
	if strings.HasPrefix(name, "@") { // in the abstract namespace
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	defer func() { _ = conn.Close() }() // a datagram is sent or not
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// Socket is a listening socket that systemd opened.
type Socket struct {
	Name     string // FileDescriptorName= of the socket unit, else the unit's name
	Listener net.Listener
}

// firstSocket is the first descriptor that is passed, SD_LISTEN_FDS_START.
const firstSocket = 3

// maxSockets bounds what a broken environment can ask for.
const maxSockets = 64

// Sockets takes the sockets that were opened for this process, in the order of
// the socket unit. It must be called once, before anything else is opened:
// the descriptors become the listeners'.
func Sockets(environ []string) ([]Socket, error) {
	if value(environ, "LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(value(environ, "LISTEN_FDS"))
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("take sockets of systemd: LISTEN_FDS is %q", value(environ, "LISTEN_FDS"))
	}
	names := strings.Split(value(environ, "LISTEN_FDNAMES"), ":")
	var list []Socket
	for i := range n {
		unix.CloseOnExec(firstSocket + i)
		name := ""
		if i < len(names) {
			name = names[i]
		}
		file := os.NewFile(uintptr(firstSocket+i), "systemd socket "+name)
		l, err := net.FileListener(file)
		_ = file.Close() // the listener has its own copy
		if err != nil {
			for _, s := range list {
				_ = s.Listener.Close()
			}
			return nil, fmt.Errorf("take socket %d of systemd (%s): %w", i, name, err)
		}
		list = append(list, Socket{name, l})
	}
	return list, nil
}

// value returns a variable's value; the last one counts.
func value(environ []string, name string) string {
	found := ""
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			found = v
		}
	}
	return found
}
