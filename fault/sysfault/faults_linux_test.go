package sysfault_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/fault/internal/faulttest"
	"holdfast/fault/sysfault"
	"holdfast/test/need"
)

func TestFreezeStopsAProcessUntilItIsTakenBack(t *testing.T) {
	t.Parallel()
	sleep := started(t, exec.Command("sleep", "60"))
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		revert := inject(ctx, t, d, sysfault.Freeze{Target: sysfault.Target{PID: sleep.Process.Pid}})
		if !frozen(sleep.Process.Pid) {
			t.Error("it is not frozen")
		}
		revert()
		faulttest.Until(t, "it runs", func() bool { return !frozen(sleep.Process.Pid) })
	})
}

func TestFreezeStopsAGroupAndTheEndOfTheDriverThawsIt(t *testing.T) {
	t.Parallel()
	shell := started(t, exec.Command("sh", "-c", "sleep 61 & sleep 61; true"))
	var children []int
	faulttest.Until(t, "both children run", func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", shell.Process.Pid, shell.Process.Pid))
		children = nil
		for f := range strings.FieldsSeq(string(b)) {
			pid, _ := strconv.Atoi(f)
			children = append(children, pid)
		}
		return len(children) == 2
	})
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		inject(ctx, t, d, sysfault.Freeze{Target: sysfault.Target{PID: shell.Process.Pid, Group: true}})
		for _, pid := range children {
			if !frozen(pid) {
				t.Errorf("child %d is not frozen", pid)
			}
		}
	})
	for _, pid := range append(children, shell.Process.Pid) {
		if frozen(pid) {
			t.Errorf("%d is frozen after the driver's end", pid)
		}
	}
}

func TestKillEndsAProcess(t *testing.T) {
	t.Parallel()
	sleep := started(t, exec.Command("sleep", "60"))
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		inject(ctx, t, d, sysfault.Kill{Target: sysfault.Target{PID: sleep.Process.Pid}})()
		faulttest.Until(t, "it is gone", func() bool { return state(sleep.Process.Pid) == 'Z' })
	})
}

// ticks is the CPU time of a process in hundredths of a second.
func ticks(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	user, _ := strconv.Atoi(string(f[11]))
	system, _ := strconv.Atoi(string(f[12]))
	return user + system
}

func TestCPUIsLimitedAndGivenBack(t *testing.T) {
	t.Parallel()
	burner := command(t, burnRole)
	pid := burner.Process.Pid
	home, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		revert := inject(ctx, t, d, sysfault.CPU{Target: sysfault.Target{PID: pid, Group: true}, Percent: 10})
		before, began := ticks(t, pid), time.Now()
		time.Sleep(time.Second) // measures
		share := float64(ticks(t, pid)-before) / time.Since(began).Seconds()
		if share > 25 {
			t.Errorf("it has %.0f%% of a CPU, want 10%%", share)
		}
		revert()
	})
	if now, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid)); !bytes.Equal(now, home) {
		t.Errorf("its groups are %q, and were %q", now, home)
	}
	left, _ := filepath.Glob("/sys/fs/cgroup/cpu/holdfast-fault-*")
	for _, dir := range left {
		if b, _ := os.ReadFile(dir + "/cgroup.procs"); strings.Contains(string(b), strconv.Itoa(pid)) {
			t.Errorf("%s is left", dir)
		}
	}
}

func TestMemoryBeyondTheLimitKills(t *testing.T) {
	t.Parallel()
	for _, limited := range []bool{false, true} {
		t.Run(fmt.Sprintf("limited %v", limited), func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], eatRole)
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			eater := started(t, cmd)
			run(t, func(ctx context.Context, d *sysfault.Driver) {
				if limited {
					inject(ctx, t, d, sysfault.Memory{Target: sysfault.Target{PID: eater.Process.Pid}, Bytes: 16 << 20})
				}
				fmt.Fprintln(in)
				said, _ := bufio.NewReader(out).ReadString('\n')
				if ate := said == fmt.Sprintln(64<<20); ate == limited {
					t.Errorf("it said %q", said)
				}
			})
			_ = in.Close()
		})
	}
}

// server accepts and echoes until the test ends.
func server(t *testing.T, l net.Listener) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
			all.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	t.Cleanup(func() { cancel(); _ = l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

func loopback(t *testing.T) (port int, dial func() (net.Conn, error)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = server(t, l)
	return port, func() (net.Conn, error) { return net.DialTimeout("tcp", l.Addr().String(), 300*time.Millisecond) }
}

func echoes(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

func TestDroppedPacketsAreSilenceAndComeBack(t *testing.T) {
	t.Parallel()
	for _, way := range []sysfault.Way{sysfault.BothWays, sysfault.Requests, sysfault.Answers} {
		t.Run(fmt.Sprint(way), func(t *testing.T) {
			t.Parallel()
			port, dial := loopback(t)
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			run(t, func(ctx context.Context, d *sysfault.Driver) {
				revert := inject(ctx, t, d, sysfault.Network{Port: port, Way: way})
				if err := echoes(c); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("an open connection: %v, want silence", err)
				}
				if c, err := dial(); err == nil {
					_ = c.Close()
					t.Error("a new connection came about")
				} else if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
					t.Errorf("a new connection: %v, want silence", err)
				}
				revert()
				faulttest.Until(t, "a new connection echoes", func() bool {
					c, err := dial()
					if err != nil {
						return false
					}
					defer c.Close()
					return echoes(c) == nil
				})
			})
		})
	}
}

func TestRefusedPacketsAreRST(t *testing.T) {
	t.Parallel()
	port, dial := loopback(t)
	c, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		inject(ctx, t, d, sysfault.Network{Port: port, Refuse: true})
		if err := echoes(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("an open connection: %v, want reset", err)
		}
		if _, err := dial(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a new connection: %v, want refused", err)
		}
	})
	fresh, err := dial()
	if err != nil {
		t.Fatalf("after the driver's end: %v", err)
	}
	_ = fresh.Close()
}

func TestAShareOfPacketsIsRefused(t *testing.T) {
	t.Parallel()
	port, dial := loopback(t)
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		inject(ctx, t, d, sysfault.Network{Port: port, Refuse: true, Percent: 30})
		refused := 0
		for range 300 {
			c, err := dial()
			if err == nil {
				_ = c.Close()
			} else if errors.Is(err, syscall.ECONNREFUSED) {
				refused++
			}
		}
		if refused < 50 || refused > 200 { // the handshake has two packets to the port: 30 to 51 %
			t.Errorf("%d of 300 were refused", refused)
		}
	})
}

func TestANamespaceIsTheOnlyOneThatIsHit(t *testing.T) {
	t.Parallel()
	root(t)
	ip := need.Command(t, "ip")
	name := fmt.Sprintf("holdfast-test-%d", os.Getpid())
	for _, args := range [][]string{{"netns", "add", name}, {"-n", name, "link", "set", "lo", "up"}} {
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			need.Missing(t, fmt.Sprintf("ip %v: %v: %s", args, err, out))
		}
	}
	t.Cleanup(func() { _ = exec.Command(ip, "netns", "delete", name).Run() })
	file := "/run/netns/" + name

	outer, dial := loopback(t)
	var inner net.Listener
	inside(t, file, func() (err error) {
		inner, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", outer)) // the same port on purpose
		return err
	})
	server(t, inner)
	try := func() (err error) {
		inside(t, file, func() error {
			var c net.Conn
			if c, err = net.DialTimeout("tcp", inner.Addr().String(), 300*time.Millisecond); err == nil {
				_ = c.Close()
			}
			return nil
		})
		return err
	}
	if err := try(); err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		revert := inject(ctx, t, d, sysfault.Network{Port: outer, Refuse: true, Namespace: file})
		if err := try(); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("inside: %v, want refused", err)
		}
		c, err := dial()
		if err != nil {
			t.Fatalf("outside: %v", err)
		}
		_ = c.Close()
		revert()
		if err := try(); err != nil {
			t.Errorf("inside, taken back: %v", err)
		}
	})
}

// inside calls do on a thread of a network namespace.
func inside(t *testing.T, file string, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestADiskThatIsFullIsEmptyAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	below := filepath.Join(dir, "below")
	if err := os.WriteFile(below, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func() error { return os.WriteFile(filepath.Join(dir, "new"), make([]byte, 100_000), 0o600) }
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		unmount := inject(ctx, t, d, sysfault.Disk{Dir: dir, Bytes: 1 << 20})
		if err := write(); err != nil {
			t.Errorf("a disk with room: %v", err)
		}
		empty := inject(ctx, t, d, sysfault.Fill{Dir: dir})
		if err := os.WriteFile(filepath.Join(dir, "more"), make([]byte, 100_000), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full disk: %v", err)
		}
		empty()
		if err := write(); err != nil {
			t.Errorf("a disk that has room again: %v", err)
		}
		open, err := os.Open(filepath.Join(dir, "new")) // keeps it busy
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		unmount()
		full := inject(ctx, t, d, sysfault.Disk{Dir: dir, Bytes: 1 << 20, Full: true})
		if err := write(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a disk that is full from the start: %v", err)
		}
		full()
	})
	if b, err := os.ReadFile(below); string(b) != "kept" || mounted(dir) {
		t.Errorf("below is %q, %v", b, err)
	}
}
