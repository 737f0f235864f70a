package up_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// instancesOf asks a running Holdfast for the process ids of a function.
func instancesOf(t *testing.T, p *holdfast.Process, function string) map[string]int {
	t.Helper()
	var answer struct {
		Instances []struct {
			ID      string `json:"id"`
			Status  string `json:"status"`
			Process struct {
				PID int `json:"pid"`
			} `json:"process"`
		} `json:"instances"`
	}
	if err := p.API("/api/v1/instances?function="+function, &answer); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	for _, i := range answer.Instances {
		pids[i.ID] = i.Process.PID
	}
	return pids
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestUpWithACommandStartsWatchesAndRestartsIt(t *testing.T) {
	t.Parallel()
	// As a user would: any server that listens on $PORT.
	p := holdfast.Up(t, "-n", "2", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	before := instancesOf(t, p, "default")
	if len(before) != 2 {
		t.Fatalf("instances: %v, want 2", before)
	}
	for id, pid := range before {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatalf("kill %s: %v", id, err)
		}
	}
	// Both are gone at once: requests are held until one is back.
	if status, body, _ := get(t, p.Gateway+"/api/web/hello"); status != http.StatusOK {
		t.Errorf("right after the crash of both: %d %s", status, body)
	}
	holdfast.Poll(t, 30*time.Second, "restarted", func() bool {
		after := instancesOf(t, p, "default")
		for id, pid := range before {
			if after[id] == pid || after[id] == 0 {
				return false
			}
		}
		return true
	})
}

func TestUpToBalancesOverWhatRunsAlready(t *testing.T) {
	t.Parallel()
	backend := holdfast.Up(t, "-n", "2", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	backend.Ready(t, 20*time.Second)
	p := holdfast.Up(t, "--to", strings.TrimPrefix(backend.Gateway, "http://127.0.0.1"))
	p.Ready(t, 20*time.Second)
	status, body, header := get(t, p.Gateway+"/api/web/hello?x=1")
	if status != http.StatusOK || !strings.Contains(body, `"function":"web"`) {
		t.Fatalf("%d %s", status, body)
	}
	var story struct {
		Lines []string `json:"lines"`
	}
	// The record is filed after the client has the last byte.
	holdfast.Poll(t, 30*time.Second, "telling the request's story", func() bool {
		return p.API("/api/v1/explain/request/"+header.Get("X-Request-Id"), &story) == nil
	})
	if all := strings.Join(story.Lines, "\n"); !strings.Contains(all, "GET") || !strings.Contains(all, "/api/web/hello") || !strings.Contains(all, "200") {
		t.Errorf("the explanation does not tell the story:\n%s", all)
	}
}

func TestSIGTERMLetsTheRequestFinishAndLeavesNoProcess(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-n", "2", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	pids := instancesOf(t, p, "default")
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(p.Gateway + "/api/web/hello?slow=3s")
		if err != nil {
			answer <- err.Error()
			return
		}
		res.Body.Close()
		answer <- res.Status
	}()
	holdfast.Poll(t, 30*time.Second, "inside", func() bool {
		var s struct {
			Functions []struct {
				InFlight int `json:"in_flight"`
			} `json:"functions"`
		}
		return p.API("/api/v1/status", &s) == nil && len(s.Functions) == 1 && s.Functions[0].InFlight == 1
	})
	if err := p.Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "200 OK" {
		t.Errorf("the request under way ended with %s", got)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for id, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d of %s is still there", pid, id)
		}
	}
}

func TestKillNineTakesTheChildrenAlong(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-n", "2", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	pids := instancesOf(t, p, "default")
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for id, pid := range pids {
		holdfast.Poll(t, 30*time.Second, "gone: "+id, func() bool { return !alive(pid) })
	}
}

func TestWhatCannotStartSaysWhyInOneSentence(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "--to", ":1")
	dir, err := os.MkdirTemp("", "hf-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	taken := strings.TrimPrefix(p.Gateway, "http://")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"data directory in use", []string{"--to", ":1", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", p.Data}, "is in use by another holdfast"},
		{"port taken", []string{"--to", ":1", "--listen", taken, "--admin-listen", "127.0.0.1:0", "--data-dir", dir}, "is taken by another program"},
		{"two sources", []string{"--to", ":1", "--demo"}, "only one of"},
		{"no such file", []string{"-c", "/no/such/file.yaml", "--data-dir", dir}, "/no/such/file.yaml"},
		{"bad address", []string{"--to", "http://user:secret@host/path", "--data-dir", dir}, "read address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			cmd := holdfast.Command(t.Context(), t, append([]string{"up"}, c.args...)...)
			cmd.Stderr = &stderr
			err := cmd.Run()
			exit, _ := errors.AsType[*exec.ExitError](err)
			if exit == nil || exit.ExitCode() != 1 {
				t.Fatalf("ended with %v, want exit code 1", err)
			}
			if got := stderr.String(); !strings.Contains(got, c.want) || strings.Contains(got, "secret") || strings.Count(got, "\n") > 2 {
				t.Errorf("it said %q, want one sentence with %q", got, c.want)
			}
		})
	}
}

func TestACommandThatDoesNotExistIsNamed(t *testing.T) {
	t.Parallel()
	file, _ := configFile(t, "functions:\n  a:\n    routes: [{path: /}]\n    platform: {process: {command: [/no/such/program]}}\n")
	p := holdfast.Up(t, "-c", file)
	holdfast.Poll(t, 30*time.Second, "logged", func() bool { return strings.Contains(p.Log(), "/no/such/program") })
	status, body, _ := get(t, p.Gateway+"/")
	if status != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s, want 503", status, body)
	}
}
