package process_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/platform"
	"holdfast/internal/platform/process"
)

func TestACrashedInstanceComesBackWithItsIdAndPort(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{})
	before := r.awaitState("f-1", platform.Running)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	after := r.await("f-1", "runs again", func(i platform.Instance) bool {
		return i.State == platform.Running && i.PID != before.PID
	})
	if after.Endpoint != before.Endpoint || after.Restarts != 1 {
		t.Errorf("it came back as %+v, before it was %+v", after, before)
	}
	gone := slices.IndexFunc(r.history(), func(i platform.Instance) bool { return i.State == platform.Gone })
	if gone < 0 || !strings.Contains(r.history()[gone].Reason, "SIGKILL") || r.history()[gone].PID != 0 {
		t.Errorf("its end was not told: %+v", r.history())
	}
}

func TestAnExitWithCodeZeroIsAFailureToo(t *testing.T) {
	t.Parallel()
	r := start(t, child("serve"), process.Config{})
	before := r.awaitState("f-1", platform.Running)
	_, _ = tryGet(t, before, "/exit?code=0") // there is no answer
	r.await("f-1", "runs again", func(i platform.Instance) bool { return i.State == platform.Running && i.Restarts == 1 })
	if !slices.ContainsFunc(r.history(), func(i platform.Instance) bool {
		return i.State == platform.Gone && strings.Contains(i.Reason, "exited with code 0")
	}) {
		t.Errorf("the exit was not told: %+v", r.history())
	}
}

func TestACrashLoopIsCalledSoAndEndsWhenTheChildStaysUp(t *testing.T) {
	t.Parallel()
	spec := child("crash until gate")
	gate := filepath.Join(t.TempDir(), "gate")
	spec.Env["GATE"] = gate
	spec.CrashLoop = process.CrashLoop{Failures: 3, Within: time.Minute}
	r := start(t, spec, process.Config{})
	looping := r.awaitState("f-1", platform.CrashLoop)
	if looping.Restarts < 2 || !strings.Contains(looping.Reason, "exited with code 1") {
		t.Errorf("the crash loop is told as %+v", looping)
	}
	again := r.await("f-1", "keeps trying", func(i platform.Instance) bool { return i.Restarts > looping.Restarts+1 })
	if again.State != platform.CrashLoop {
		t.Errorf("while it keeps trying the instance is %s", again.State)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.awaitState("f-1", platform.Running)
}

func TestACrashTellsTheLastWordsOfTheChild(t *testing.T) {
	t.Parallel()
	r := start(t, child("crash"), process.Config{})
	i := r.awaitState("f-1", platform.CrashLoop)
	for _, part := range []string{"5 failures in a row", "exited with code 7", "cannot find my configuration"} {
		if !strings.Contains(i.Reason, part) {
			t.Errorf("the reason does not say %q: %s", part, i.Reason)
		}
	}
}

func TestAChildThatNeverListensIsStoppedAndTriedAgain(t *testing.T) {
	t.Parallel()
	spec := child("never listens")
	spec.ReadyTimeout = 300 * time.Millisecond
	spec.Backoff = process.Backoff{Base: time.Hour, Max: time.Hour}
	r := start(t, spec, process.Config{})
	i := r.awaitState("f-1", platform.Gone)
	if !strings.Contains(i.Reason, "accepted no connection within 300ms") {
		t.Errorf("the reason is %q", i.Reason)
	}
	for _, pid := range r.pids() {
		if !reaped(pid) {
			t.Errorf("process %d waits on", pid)
		}
	}
}

func TestAChildThatLeavesForTheBackgroundIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	for command, told := range map[string]bool{"exit 0": true, "exit 1": false} {
		spec := child("")
		spec.Command = []string{"/bin/sh", "-c", command}
		spec.Backoff = process.Backoff{Base: time.Hour, Max: time.Hour}
		r := start(t, spec, process.Config{})
		i := r.awaitState("f-1", platform.Gone)
		if strings.Contains(i.Reason, "foreground") != told {
			t.Errorf("after %s the reason is %q", command, i.Reason)
		}
	}
}

func TestAChildOnAnotherPortIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	spec := child("listens elsewhere")
	spec.ReadyTimeout = time.Second
	spec.Backoff = process.Backoff{Base: time.Hour, Max: time.Hour}
	r := start(t, spec, process.Config{})
	i := r.awaitState("f-1", platform.Gone)
	if !strings.Contains(i.Reason, "it listens on 127.0.0.1:") || !strings.Contains(i.Reason, "{port}") {
		t.Errorf("the reason is %q", i.Reason)
	}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestATakenPortIsSaidAndUsedOnceItIsFree(t *testing.T) {
	t.Parallel()
	l := listen(t, "127.0.0.1:0")
	addr := l.Addr().(*net.TCPAddr)
	spec := child("serve")
	spec.Ports = process.Range{From: addr.Port, To: addr.Port}
	r := start(t, spec, process.Config{})
	i := r.await("f-1", "has failed", func(i platform.Instance) bool { return i.State != platform.Starting })
	if !strings.Contains(i.Reason, "is taken by another program") {
		t.Errorf("the reason is %q", i.Reason)
	}
	_ = l.Close()
	i = r.awaitState("f-1", platform.Running)
	if i.Endpoint != "http://"+addr.String() {
		t.Errorf("it runs at %s", i.Endpoint)
	}
}

func TestARestartMovesWhenItsPortWasTaken(t *testing.T) {
	t.Parallel()
	spec := child("serve")
	spec.Backoff = process.Backoff{Base: 2 * time.Second, Max: 2 * time.Second}
	r := start(t, spec, process.Config{})
	before := r.awaitState("f-1", platform.Running)
	_, _ = tryGet(t, before, "/exit?code=3")
	r.awaitState("f-1", platform.Gone)
	thief := listen(t, strings.TrimPrefix(before.Endpoint, "http://"))
	defer func() { _ = thief.Close() }()
	after := r.awaitState("f-1", platform.Running)
	if after.Endpoint == before.Endpoint {
		t.Errorf("it is said to run at %s, where somebody else listens", after.Endpoint)
	}
}

func TestACommandThatCannotStartSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noInterpreter := write("script", "#!/no/such/interpreter\n", 0o700)
	noFormat := write("data", "\x01\x02", 0o700)
	notExecutable := write("plain", "text", 0o600)
	tests := map[string]struct {
		command, dir string
		want         []string
	}{
		"not in PATH":      {"holdfast-no-such-program", "", []string{"not found in PATH", "full path"}},
		"no such file":     {"./no-such-program", dir, []string{"there is no file", "correct the path"}},
		"not executable":   {notExecutable, "", []string{"not executable", "chmod +x"}},
		"a directory":      {dir, "", []string{"is a directory"}},
		"no interpreter":   {noInterpreter, "", []string{"interpreter or loader it names does not"}},
		"no binary":        {noFormat, "", []string{"built for another machine"}},
		"no directory":     {"./server", filepath.Join(dir, "nowhere"), []string{"the directory", "does not exist"}},
		"no such relative": {"data/x", dir, []string{"not a directory"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := child("serve")
			spec.Command, spec.Dir = []string{test.command}, test.dir
			r := start(t, spec, process.Config{})
			i := r.awaitState("f-1", platform.CrashLoop)
			for _, part := range test.want {
				if !strings.Contains(i.Reason, part) {
					t.Errorf("the reason does not say %q: %s", part, i.Reason)
				}
			}
		})
	}
}

func TestARelativeCommandIsFoundFromTheChildsDirectoryAndPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(self(), filepath.Join(dir, "hf-test-server")); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]string{"by path": "./hf-test-server", "by PATH": "hf-test-server"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := child("serve")
			spec.Command, spec.Dir = []string{command}, dir
			spec.Env["PATH"] = "/nowhere:" + dir
			start(t, spec, process.Config{}).awaitState("f-1", platform.Running)
		})
	}
}
