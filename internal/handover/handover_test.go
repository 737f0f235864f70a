package handover_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/handover"
)

// strangerEnv holds the socket that this binary asks when it plays a stranger.
const strangerEnv = "HF_TEST_STRANGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(strangerEnv); path != "" {
		os.Exit(playStranger(path))
	}
	goleak.VerifyTestMain(m)
}

// playStranger asks for everything, without the manners of the real client.
func playStranger(path string) int {
	for _, want := range []string{"takeover", "upgrade"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Fprintf(conn, "{\"version\":1,\"want\":%q,\"pid\":1}\n", want)
		answer, err := io.ReadAll(conn)
		fmt.Printf("%s: %s %v\n", want, answer, err)
		conn.Close()
	}
	return 0
}

// old is a process that can be replaced.
type old struct {
	path  string
	tcp   net.Listener
	taken atomic.Int64
	stop  context.CancelFunc
	done  chan error
}

func start(t *testing.T, c handover.Config) *old {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf-") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	o := &old{path: filepath.Join(dir, "s"), done: make(chan error, 1)}
	local, err := net.ListenUnix("unix", &net.UnixAddr{Name: o.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	if o.tcp, err = lc.Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if c.Taken == nil {
		c.Taken = func(pid int) { o.taken.Store(int64(pid)) }
	}
	if c.Offer == nil {
		c.Offer = func() (handover.Offer, error) {
			f, err := o.tcp.(*net.TCPListener).File()
			if err != nil {
				return handover.Offer{}, err
			}
			g, err := o.tcp.(*net.TCPListener).File()
			return handover.Offer{
				Files: []handover.File{{Name: "web", Address: "127.0.0.1:0", File: f}, {Name: "unwanted", File: g}},
				Note:  map[string]string{"hello": "there"},
			}, err
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	o.stop = stop
	go func() { o.done <- handover.NewServer(c).Run(ctx, local) }()
	t.Cleanup(func() {
		o.end(t)
		o.tcp.Close()
		os.RemoveAll(dir)
	})
	return o
}

func (o *old) end(t *testing.T) {
	t.Helper()
	o.stop()
	if err := <-o.done; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	o.done <- nil
}

func ask(t *testing.T, o *old) *handover.Takeover {
	t.Helper()
	took, err := handover.Ask(t.Context(), o.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(took.Close)
	return took
}

func TestASuccessorAcceptsOnTheSameSocketAndTheOldOneIsToldOnce(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{})
	took := ask(t, o)
	var note map[string]string
	if err := took.Note(&note); err != nil || note["hello"] != "there" {
		t.Errorf("the note is %v, %v", note, err)
	}
	l, err := took.Listener("web", "127.0.0.1:0")
	if err != nil || l == nil || l.Addr().String() != o.tcp.Addr().String() {
		t.Fatalf("the socket is %v, %v", l, err)
	}
	if again, err := took.Listener("web", ""); again != nil || err != nil {
		t.Errorf("it was given twice: %v, %v", again, err)
	}
	if o.taken.Load() != 0 {
		t.Error("the old one was told before the new one was ready")
	}
	if err := took.Ready(); err != nil {
		t.Fatal(err)
	}
	if o.taken.Load() != int64(os.Getpid()) {
		t.Errorf("the old one was told of process %d", o.taken.Load())
	}
	o.tcp.Close()
	srv := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "new") })}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	srv.Close()
	<-served
	if _, err := handover.Ask(t.Context(), o.path); !errors.Is(err, handover.ErrNobody) {
		t.Errorf("a second one is told %v", err)
	}
}

func TestAKeptSocketAcceptsWhenItsListenerIsClosed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := handover.Keep(l)
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	file, err := kept.File()
	kept.Close()
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("connect to a socket whose file is open: %v", err)
	}
	defer client.Close()
	next, err := net.FileListener(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	c, err := next.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	next.Close()
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("somebody still listens once all are closed")
	}
	if _, err := kept.File(); err == nil {
		t.Error("a closed socket gave a file")
	}
	kept.Close() // again
	(*handover.Socket)(nil).Close()
	if _, err := handover.Keep(pipeListener{}); err == nil {
		t.Error("a listener without a socket was kept")
	}
}

type pipeListener struct{ net.Listener }

func TestASocketOfAnotherAddressIsNotTaken(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{})
	took := ask(t, o)
	if l, err := took.Listener("web", "127.0.0.1:1"); l != nil || err != nil {
		t.Errorf("it was given %v, %v", l, err)
	}
	l, err := took.Listener("web", o.tcp.Addr().String())
	if l == nil || err != nil {
		t.Fatalf("by its real address it is %v, %v", l, err)
	}
	l.Close()
}

func TestASuccessorThatGivesUpCostsNothing(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{})
	for range 3 {
		var took *handover.Takeover
		await(t, func() (ok bool) { // the one before may not be forgotten yet
			var err error
			took, err = handover.Ask(t.Context(), o.path)
			return err == nil
		})
		if _, err := handover.Ask(t.Context(), o.path); !errors.Is(err, handover.ErrRefused) || !strings.Contains(err.Error(), "taking over already") {
			t.Errorf("a second one at the same time is told %v", err)
		}
		took.Close()
	}
	if o.taken.Load() != 0 {
		t.Error("the old one was told of a successor")
	}
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to that within 10 s")
		}
		<-time.After(time.Millisecond)
	}
}

func TestASuccessorThatTakesTooLongIsRefusedInTheEnd(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{Patience: 10 * time.Millisecond})
	took := ask(t, o)
	<-time.After(50 * time.Millisecond)
	if err := took.Ready(); !errors.Is(err, handover.ErrRefused) {
		t.Errorf("it is told %v", err)
	}
	if o.taken.Load() != 0 {
		t.Error("and the old one believes it")
	}
}

func TestAnOldOneThatIsGoneLeavesItsPlace(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "hf-") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // offers, and dies
		conn, err := l.Accept()
		if err == nil {
			io.WriteString(conn, `{"version":1,"pid":7}`+"\n")
			<-time.After(20 * time.Millisecond)
			conn.Close()
		}
	}()
	took, err := handover.Ask(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(50 * time.Millisecond)
	if err := took.Ready(); err != nil || took.PID != 7 {
		t.Errorf("Ready of %d: %v", took.PID, err)
	}
}

func TestAnOfferThatCannotBeMadeIsARefusal(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{Offer: func() (handover.Offer, error) { return handover.Offer{}, errors.New("out of files") }})
	for range 2 {
		if _, err := handover.Ask(t.Context(), o.path); !errors.Is(err, handover.ErrRefused) || !strings.Contains(err.Error(), "out of files") {
			t.Errorf("it is told %v", err)
		}
	}
}

func TestAnEndingServerRefusesThoseWhoWait(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{})
	took := ask(t, o)
	o.end(t)
	if err := took.Ready(); !errors.Is(err, handover.ErrRefused) || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("it is told %v", err)
	}
}

func TestAnUpgradeReportsSuccessAndFailure(t *testing.T) {
	t.Parallel()
	var o *old
	took := make(chan error, 1)
	fail := atomic.Bool{}
	o = start(t, handover.Config{Start: func() (handover.Successor, error) {
		ended := make(chan error, 1)
		if fail.Load() {
			ended <- errors.New("exit status 1")
			return handover.Successor{PID: 9, Ended: ended}, nil
		}
		go func() {
			next, err := handover.Ask(t.Context(), o.path)
			if err == nil {
				err = next.Ready()
			}
			took <- err
		}()
		return handover.Successor{PID: 9, Ended: ended}, nil
	}})
	fail.Store(true)
	if _, err := handover.Upgrade(t.Context(), o.path); !errors.Is(err, handover.ErrRefused) || !strings.Contains(err.Error(), "pid 9) ended before it was ready (exit status 1)") {
		t.Errorf("a failed one is told as %v", err)
	}
	fail.Store(false)
	if pid, err := handover.Upgrade(t.Context(), o.path); err != nil || pid != os.Getpid() {
		t.Errorf("a good one is told as %d, %v", pid, err)
	}
	if err := <-took; err != nil {
		t.Error(err)
	}
}

// Taken ends what Run has for a context, before anything else is noted.
func TestAnUpgradeIsNoRefusalWhileTheOldOneStopsForIt(t *testing.T) {
	t.Parallel()
	var o *old
	took, told, started := make(chan error, 1), make(chan struct{}), make(chan struct{})
	o = start(t, handover.Config{
		Taken: func(int) {
			<-started
			o.stop()
			select {
			case <-told: // and it takes its time
			case <-time.After(20 * time.Second):
				t.Error("whoever ordered the upgrade was not told")
			}
		},
		Start: func() (handover.Successor, error) {
			go func() {
				<-started
				next, err := handover.Ask(t.Context(), o.path)
				if err == nil {
					err = next.Ready()
				}
				took <- err
			}()
			return handover.Successor{PID: 9, Ended: make(chan error)}, nil
		},
	})
	close(started)
	pid, err := handover.Upgrade(t.Context(), o.path)
	close(told)
	if err != nil || pid != os.Getpid() {
		t.Errorf("it is told as %d, %v", pid, err)
	}
	if err := <-took; err != nil {
		t.Error(err)
	}
}

func TestWithoutAWayToStartOneAnUpgradeIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t, handover.Config{})
	if _, err := handover.Upgrade(t.Context(), o.path); !errors.Is(err, handover.ErrRefused) {
		t.Errorf("it is told %v", err)
	}
	if _, err := handover.Upgrade(t.Context(), o.path+"x"); !errors.Is(err, handover.ErrNobody) {
		t.Errorf("where nobody is it is told %v", err)
	}
}

func TestAnotherUserGetsNothing(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	o := start(t, handover.Config{Start: func() (handover.Successor, error) {
		t.Error("a successor was started for a stranger")
		return handover.Successor{}, errors.New("no")
	}})
	for path, mode := range map[string]os.FileMode{filepath.Dir(o.path): 0o755, o.path: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	// The test binary's own directory is closed to others; an open file is not.
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.CommandContext(t.Context(), "/proc/self/fd/3")
	cmd.ExtraFiles, cmd.Dir = []*os.File{self}, "/"
	cmd.Env = []string{strangerEnv + "=" + o.path, "GORACE=atexit_sleep_ms=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("play the stranger: %v\n%s", err, out)
	}
	if strings.Count(string(out), "belongs to user") != 2 {
		t.Errorf("the stranger is told %q", out)
	}
	if o.taken.Load() != 0 {
		t.Error("the stranger took over")
	}
}
