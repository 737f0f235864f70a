package systemd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/systemd"
)

// partEnv makes this binary play the activated service.
const partEnv = "HF_TEST_ACTIVATED"

func TestMain(m *testing.M) {
	if os.Getenv(partEnv) != "" {
		os.Exit(playService())
	}
	os.Exit(m.Run())
}

// playService prints what it was passed.
func playService() int {
	list, err := systemd.Sockets(os.Environ())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, s := range list {
		fmt.Println(s.Name, s.Listener.Addr())
		_ = s.Listener.Close()
	}
	return 0
}

func listener(t *testing.T) (net.Listener, *os.File) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return l, f
}

// activate runs this binary as systemd runs a service: LISTEN_PID is its own.
func activate(t *testing.T, files []*os.File, env ...string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	cmd.Env, cmd.ExtraFiles = append(env, partEnv+"=1"), files
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func TestSocketsComeWithTheirNamesInOrder(t *testing.T) {
	t.Parallel()
	a, fa := listener(t)
	b, fb := listener(t)
	out, err := activate(t, []*os.File{fa, fb}, "LISTEN_FDS=2", "LISTEN_FDNAMES=gateway:admin")
	if want := fmt.Sprintf("gateway %s\nadmin %s\n", a.Addr(), b.Addr()); err != nil || out != want {
		t.Errorf("it got %q, %v, want %q", out, err, want)
	}
	out, err = activate(t, []*os.File{fa}, "LISTEN_FDS=1")
	if want := fmt.Sprintf(" %s\n", a.Addr()); err != nil || out != want {
		t.Errorf("without names it got %q, %v, want %q", out, err, want)
	}
}

func TestWhatIsNoSocketIsRefused(t *testing.T) {
	t.Parallel()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, good := listener(t)
	for _, env := range [][]string{{"LISTEN_FDS=2"}, {"LISTEN_FDS=x"}, {"LISTEN_FDS=-1"}, {"LISTEN_FDS=100000"}} {
		if out, err := activate(t, []*os.File{good, f}, env...); err == nil || !strings.Contains(out, "of systemd") {
			t.Errorf("%v: %q, %v", env, out, err)
		}
	}
}

func TestSocketsForAnotherProcessAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, environ := range [][]string{nil, {"LISTEN_FDS=1"}, {"LISTEN_FDS=1", "LISTEN_PID=1"}} {
		if list, err := systemd.Sockets(environ); len(list) > 0 || err != nil {
			t.Errorf("%v: %v, %v", environ, list, err)
		}
	}
}

func TestTheManagerIsTold(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hf-") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	abstract := "@hf-test-" + strconv.Itoa(os.Getpid())
	for _, name := range []string{filepath.Join(dir, "s"), abstract} {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		n := systemd.NewNotifier([]string{"NOTIFY_SOCKET=/nowhere", "NOTIFY_SOCKET=" + name})
		for _, c := range []struct {
			tell func() error
			want string
		}{
			{n.Ready, fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid())},
			{n.Reloading, "RELOADING=1\nMONOTONIC_USEC="},
			{n.Alive, "WATCHDOG=1"},
			{n.Stopping, "STOPPING=1"},
		} {
			if err := c.tell(); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 200)
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			got, err := conn.Read(b)
			if err != nil || !strings.HasPrefix(string(b[:got]), c.want) {
				t.Errorf("%s: it was told %q, %v, want %q", name, b[:got], err, c.want)
			}
		}
	}
}

func TestWithoutAManagerNothingHappens(t *testing.T) {
	t.Parallel()
	for _, n := range []systemd.Notifier{{}, systemd.NewNotifier(nil), systemd.NewNotifier([]string{"WATCHDOG_USEC=1000"})} {
		if err := n.Ready(); err != nil || n.Watchdog() != 0 {
			t.Errorf("Ready: %v, watchdog %v", err, n.Watchdog())
		}
	}
	if err := systemd.NewNotifier([]string{"NOTIFY_SOCKET=/no/such/socket"}).Ready(); err == nil {
		t.Error("a manager that is gone was told")
	}
}

func TestTheWatchdogIsForTheProcessThatIsMeant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pid  string
		want time.Duration
	}{{"", 3 * time.Second}, {strconv.Itoa(os.Getpid()), 3 * time.Second}, {"1", 0}} {
		n := systemd.NewNotifier([]string{"NOTIFY_SOCKET=/x", "WATCHDOG_USEC=3000000", "WATCHDOG_PID=" + c.pid})
		if n.Watchdog() != c.want {
			t.Errorf("for process %q it is %v, want %v", c.pid, n.Watchdog(), c.want)
		}
	}
}
