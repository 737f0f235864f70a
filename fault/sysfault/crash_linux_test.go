package sysfault_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/fault/internal/faulttest"
	"holdfast/fault/sysfault"
	"holdfast/test/need"
)

// drive is a driver in a process of its own: it freezes one process and takes CPU time from another, refuses a port, fills
// a disk, says so and waits for its end.
func drive(args []string) {
	number := func(i int) int { n, _ := strconv.Atoi(args[i]); return n }
	most, _ := time.ParseDuration(args[6])
	err := sysfault.Run(context.Background(), sysfault.Config{Dir: args[0], Guard: []string{os.Args[0], guardRole, args[5]}},
		func(ctx context.Context, d *sysfault.Driver) error {
			for _, f := range []sysfault.Fault{
				sysfault.Freeze{Target: sysfault.Target{PID: number(2)}},
				sysfault.CPU{Target: sysfault.Target{PID: number(3)}, Percent: 50},
				sysfault.Network{Port: number(4), Refuse: true},
				sysfault.Disk{Dir: args[1], Bytes: 1 << 20, Full: true},
			} {
				if _, err := d.Inject(ctx, f, most); err != nil {
					return err
				}
			}
			fmt.Println("ready")
			<-ctx.Done()
			return ctx.Err()
		})
	fmt.Println(err)
}

// scene is a driver in a process of its own with all it has done.
type scene struct {
	driver         *exec.Cmd
	dir, disk      string
	frozen, slowed int
	dial           func() error
}

func stage(t *testing.T, most time.Duration) *scene {
	t.Helper()
	root(t)
	port, dial := loopback(t)
	s := &scene{
		dir: t.TempDir(), disk: t.TempDir(),
		frozen: started(t, exec.Command("sleep", "60")).Process.Pid, slowed: started(t, exec.Command("sleep", "60")).Process.Pid,
		dial: func() error {
			c, err := dial()
			if err == nil {
				_ = c.Close()
			}
			return err
		},
	}
	cmd := exec.Command(os.Args[0], driverRole, s.dir, s.disk, strconv.Itoa(s.frozen), strconv.Itoa(s.slowed), strconv.Itoa(port), t.Name(), most.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// The guard outlives the driver by a moment, and opens the journal once more: its directory must not go before.
	t.Cleanup(func() {
		faulttest.Until(t, "the guard has ended", func() bool { return find(guardRole, t.Name()) == 0 })
	})
	s.driver = started(t, cmd)
	said, err := bufio.NewReader(out).ReadString('\n')
	if strings.Contains(said, sysfault.ErrUnsupported.Error()) {
		need.Missing(t, said)
	}
	if said != "ready\n" {
		t.Fatalf("the driver says %q, %v", said, err)
	}
	if got := s.inForce(); len(got) != 4 {
		t.Fatalf("of four faults only these are in force: %v", got)
	}
	return s
}

// inForce looks at the machine.
func (s *scene) inForce() (list []string) {
	if frozen(s.frozen) {
		list = append(list, "freeze")
	}
	if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.slowed)); strings.Contains(string(b), "holdfast-fault-") {
		list = append(list, "cpu")
	}
	if errors.Is(s.dial(), syscall.ECONNREFUSED) {
		list = append(list, "network")
	}
	if mounted(s.disk) {
		list = append(list, "disk")
	}
	return list
}

func (s *scene) kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

func TestADriverThatIsKilledLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := stage(t, time.Minute)
	began := time.Now()
	s.kill(s.driver.Process.Pid)
	for len(s.inForce()) > 0 {
		if time.Since(began) > 2*time.Second {
			t.Fatalf("2 s after the driver was killed these are in force: %v", s.inForce())
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("all was taken back %s after the driver was killed", time.Since(began).Round(time.Millisecond))
	faulttest.Until(t, "the guard has ended", func() bool { return find(guardRole, t.Name()) == 0 })
	if b, err := os.ReadFile(filepath.Join(s.dir, "faults.journal")); err != nil || len(b) != 0 {
		t.Errorf("the journal holds %q, %v", b, err)
	}
}

func TestTheNextRunTakesBackWhatDriverAndGuardLeft(t *testing.T) {
	t.Parallel()
	s := stage(t, time.Minute)
	guard := find(guardRole, t.Name())
	if guard == 0 {
		t.Fatal("there is no guard")
	}
	_ = syscall.Kill(s.driver.Process.Pid, syscall.SIGSTOP) // or it would notice that the guard is gone
	s.kill(guard)
	s.kill(s.driver.Process.Pid)
	_ = s.driver.Wait()
	if got := s.inForce(); len(got) != 4 {
		t.Fatalf("with both killed these are in force: %v", got)
	}
	c := config(t)
	c.Dir = s.dir
	err := sysfault.Run(t.Context(), c, func(_ context.Context, d *sysfault.Driver) error {
		if got := s.inForce(); len(got) != 0 {
			t.Errorf("in the next run these are in force: %v", got)
		}
		if events, _ := d.Events(); len(events) != 4 || !strings.Contains(events[0].Note, "left by an earlier run") {
			t.Errorf("events %+v", events)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhoeverStartedADriverCanTakeBackWhatItLeft(t *testing.T) {
	t.Parallel()
	s := stage(t, time.Minute)
	_ = syscall.Kill(s.driver.Process.Pid, syscall.SIGSTOP)
	s.kill(find(guardRole, t.Name()))
	s.kill(s.driver.Process.Pid)
	_ = s.driver.Wait()
	left, err := sysfault.Recover(t.Context(), s.dir)
	if err != nil || len(left) != 4 || len(s.inForce()) != 0 {
		t.Errorf("took back %q, %v; in force: %v", left, err, s.inForce())
	}
	if left, err := sysfault.Recover(t.Context(), s.dir); err != nil || len(left) != 0 {
		t.Errorf("once more: %q, %v", left, err)
	}
}

func TestTheJournalIsNotBuried(t *testing.T) {
	t.Parallel()
	c := config(t)
	err := sysfault.Run(t.Context(), c, func(ctx context.Context, d *sysfault.Driver) error {
		_, err := d.Inject(ctx, sysfault.Disk{Dir: c.Dir, Bytes: 1 << 20}, time.Minute)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "the journal of faults is in it") || mounted(c.Dir) {
		t.Errorf("Run = %v", err)
	}
}

func TestTheGuardTakesBackWhatADriverThatHangsDoesNot(t *testing.T) {
	t.Parallel()
	s := stage(t, 2*time.Second)
	_ = syscall.Kill(s.driver.Process.Pid, syscall.SIGSTOP)
	faulttest.Until(t, "all is taken back", func() bool { return len(s.inForce()) == 0 })
	if state(s.driver.Process.Pid) != 'T' {
		t.Error("the driver does not hang, so that this proves nothing")
	}
}

func TestADriverWhoseGuardIsKilledGivesUp(t *testing.T) {
	t.Parallel()
	sleep := started(t, exec.Command("sleep", "60"))
	err := sysfault.Run(t.Context(), config(t), func(ctx context.Context, d *sysfault.Driver) error {
		inject(ctx, t, d, sysfault.Freeze{Target: sysfault.Target{PID: sleep.Process.Pid}})
		_ = syscall.Kill(find(guardRole, t.Name()), syscall.SIGKILL)
		<-ctx.Done()
		if _, err := d.Inject(context.WithoutCancel(ctx), sysfault.Freeze{Target: sysfault.Target{PID: sleep.Process.Pid}}, time.Minute); !errors.Is(err, sysfault.ErrGuardLost) {
			t.Errorf("an injection without a guard: %v", err)
		}
		return nil
	})
	if !errors.Is(err, sysfault.ErrGuardLost) {
		t.Errorf("Run = %v", err)
	}
	if frozen(sleep.Process.Pid) {
		t.Error("it is still frozen")
	}
}

func TestWhatIsOverdueIsTakenBack(t *testing.T) {
	t.Parallel()
	sleep := started(t, exec.Command("sleep", "60"))
	run(t, func(ctx context.Context, d *sysfault.Driver) {
		revert, err := d.Inject(ctx, sysfault.Freeze{Target: sysfault.Target{PID: sleep.Process.Pid}}, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		faulttest.Until(t, "it is thawed and told", func() bool {
			events, _ := d.Events()
			return !frozen(sleep.Process.Pid) && len(events) == 2 && strings.Contains(events[1].Note, "overdue")
		})
		if err := revert(); err != nil {
			t.Error(err)
		}
	})
}

func TestAPanicOfTheBodyTakesBackAll(t *testing.T) {
	t.Parallel()
	sleep := started(t, exec.Command("sleep", "60"))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = sysfault.Run(t.Context(), config(t), func(ctx context.Context, d *sysfault.Driver) error {
			inject(ctx, t, d, sysfault.Freeze{Target: sysfault.Target{PID: sleep.Process.Pid}})
			panic("as if by mistake")
		})
	}()
	if frozen(sleep.Process.Pid) {
		t.Error("it is still frozen")
	}
}

func TestOnlyOneDriverUsesAJournal(t *testing.T) {
	t.Parallel()
	c := config(t)
	err := sysfault.Run(t.Context(), c, func(ctx context.Context, _ *sysfault.Driver) error {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		return sysfault.Run(ctx, c, func(context.Context, *sysfault.Driver) error { return nil })
	})
	if err == nil || !strings.Contains(err.Error(), "another driver holds it") {
		t.Errorf("a second driver: %v", err)
	}
}

func TestALineThatWasNotWrittenToItsEndIsNoFault(t *testing.T) {
	t.Parallel()
	c := config(t)
	path := filepath.Join(c.Dir, "faults.journal")
	if err := os.WriteFile(path, []byte(`{"id":"x","fault":"y","undo":{"kind":"thaw","processes":[{"pid":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sysfault.Run(t.Context(), c, func(context.Context, *sysfault.Driver) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeTakenBackStaysInTheJournal(t *testing.T) {
	t.Parallel()
	c := config(t)
	path := filepath.Join(c.Dir, "faults.journal")
	if err := os.WriteFile(path, []byte(`{"id":"x","fault":"something new","undo":{"kind":"teleport"}}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := sysfault.Run(t.Context(), c, func(context.Context, *sysfault.Driver) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "take back something new") {
		t.Errorf("Run = %v", err)
	}
	if b, _ := os.ReadFile(path); !strings.Contains(string(b), "teleport") {
		t.Errorf("the journal holds %q", b)
	}
}
