package sysfault_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/fault/sysfault"
	"holdfast/test/need"
)

const (
	guardRole  = "fault-guard"
	driverRole = "fault-driver"
	burnRole   = "fault-burn"
	eatRole    = "fault-eat"
)

// TestMain is also the programs that tests start.
func TestMain(m *testing.M) {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case guardRole:
		if err := sysfault.Guard(os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case driverRole:
		drive(os.Args[2:])
	case burnRole:
		for {
			runtime.Gosched()
		}
	case eatRole:
		eat()
	default:
		goleak.VerifyTestMain(m)
	}
}

// eat takes 64 MiB once a line comes, says so, and waits for the end.
func eat() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	room := bytes.Repeat([]byte("x"), 64<<20)
	fmt.Println(len(room))
	lines.Scan()
	runtime.KeepAlive(room)
}

// command runs this very program as role; it is killed when the test ends.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return started(t, exec.Command(os.Args[0], args...))
}

func started(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	return cmd
}

func config(t *testing.T) sysfault.Config {
	t.Helper()
	return sysfault.Config{Dir: t.TempDir(), Guard: []string{os.Args[0], guardRole, t.Name()}}
}

// run gives a driver to body, and wants no error.
func run(t *testing.T, body func(ctx context.Context, d *sysfault.Driver)) {
	t.Helper()
	err := sysfault.Run(t.Context(), config(t), func(ctx context.Context, d *sysfault.Driver) error { body(ctx, d); return nil })
	if err != nil {
		t.Errorf("Run = %v", err)
	}
}

// inject injects, or ends the test where the machine cannot do it.
func inject(ctx context.Context, t *testing.T, d *sysfault.Driver, f sysfault.Fault) (revert func()) {
	t.Helper()
	back, err := d.Inject(ctx, f, time.Minute)
	if errors.Is(err, sysfault.ErrUnsupported) {
		need.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		for range 2 { // once more is as good
			if err := back(); err != nil {
				t.Error(err)
			}
		}
	}
}

// state is the letter of a process in /proc, or 0 when it is gone.
func state(pid int) byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])[0][0]
}

func frozen(pid int) bool { return state(pid) == 'T' }

// find returns the process that runs this program with these arguments.
func find(args ...string) int {
	all, _ := filepath.Glob("/proc/[1-9]*")
	for _, dir := range all {
		b, _ := os.ReadFile(dir + "/cmdline")
		if strings.HasSuffix(string(b), "\x00"+strings.Join(args, "\x00")+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	return 0
}

func mounted(dir string) bool {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(b), " "+dir+" ")
}

func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		need.Missing(t, "this needs root")
	}
}
