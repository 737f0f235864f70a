// Package up_test tries the real binary the way its users do: start it, change
// its configuration under it, stop it, kill it.
package up_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"holdfast/test/holdfast"
)

// configFile writes a configuration and returns its path and a function that
// replaces it as an editor does.
func configFile(t *testing.T, text string) (path string, replace func(string)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "holdfast.yaml")
	replace = func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace(text)
	return path, replace
}

// demoFunction is the configuration of one function with demo instances.
func demoFunction(t *testing.T, name string, n int, more string) string {
	t.Helper()
	return fmt.Sprintf("  %s:\n    routes: [{path: /api/%s/}]\n    platform: {process: {instances: %d, command: [%q, demo-function, --name, %s, --id, '{id}', --port, '{port}']}}\n%s",
		name, name, n, holdfast.Binary(t), name, more)
}

func get(t *testing.T, url string) (status int, body string, header http.Header) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func TestAReloadLeavesOtherFunctionsAlone(t *testing.T) {
	t.Parallel()
	a, b := demoFunction(t, "a", 1, ""), demoFunction(t, "b", 1, "")
	file, replace := configFile(t, "functions:\n"+a+b)
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	socket, _, err := websocket.Dial(t.Context(), p.Gateway+"/api/a/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	slow := make(chan string, 1)
	go func() {
		res, err := http.Get(p.Gateway + "/api/b/hello?slow=1500ms")
		if err != nil {
			slow <- err.Error()
			return
		}
		defer res.Body.Close()
		slow <- res.Status
	}()
	replace("functions:\n" + a + demoFunction(t, "b", 1, "    fallback: {status: 418, body: tea}\n    circuit_breaker: {disabled: true}\n"))
	holdfast.Poll(t, 30*time.Second, "reloaded", func() bool { return strings.Contains(p.Log(), "418") })
	if err := socket.Write(t.Context(), websocket.MessageText, []byte("still there?")); err != nil {
		t.Fatalf("the WebSocket of an untouched function broke: %v", err)
	}
	if _, message, err := socket.Read(t.Context()); err != nil || string(message) != "still there?" {
		t.Errorf("the WebSocket answered %q, %v", message, err)
	}
	if got := <-slow; got != "200 OK" {
		t.Errorf("the exchange under way during the reload ended with %s", got)
	}
	socket.Close(websocket.StatusNormalClosure, "")
}

func TestAFaultyFileChangesNothingAndSaysSo(t *testing.T) {
	t.Parallel()
	good := "functions:\n" + demoFunction(t, "a", 1, "")
	file, replace := configFile(t, good)
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	replace(good + "    retry: {attempst: 3}\nshutdown_timeout: soon\n")
	if err := p.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	holdfast.Poll(t, 30*time.Second, "refused", func() bool { return strings.Contains(p.Log(), "attempst") })
	for _, part := range []string{"holdfast.yaml:5", "did you mean attempts", "shutdown_timeout"} {
		if !strings.Contains(p.Log(), part) {
			t.Errorf("the log does not mention %q:\n%s", part, p.Log())
		}
	}
	if status, body, _ := get(t, p.Gateway+"/api/a/hello"); status != http.StatusOK {
		t.Errorf("after the faulty file: %d %s", status, body)
	}
}

// A command that never ran must not keep the one before it in place for good.
func TestTheOldCommandGoesWhenTheOneInBetweenNeverRan(t *testing.T) {
	t.Parallel()
	good := "functions:\n" + demoFunction(t, "a", 1, "")
	file, replace := configFile(t, good)
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	instances := func() (ids []string) {
		var answer struct {
			Instances []struct {
				ID     string `json:"id"`
				Status string `json:"status"`
			} `json:"instances"`
		}
		if err := p.API("/api/v1/instances?function=a", &answer); err != nil {
			return nil
		}
		for _, i := range answer.Instances {
			ids = append(ids, i.ID+" "+i.Status)
		}
		return ids
	}
	replace("functions:\n  a: {routes: [{path: /api/a/}], platform: {process: {command: [sh, -c, exit 3]}}}\n")
	holdfast.Poll(t, 20*time.Second, "the failing command", func() bool { return slices.Contains(instances(), "a-r2-1 failed") })
	if !slices.Contains(instances(), "a-1 active") {
		t.Fatalf("the old command is gone before the new one runs: %q", instances())
	}
	replace(strings.Replace(good, "platform: {process: {", "platform: {process: {env: {VERSION: three}, ", 1))
	holdfast.Poll(t, 20*time.Second, "only the last command", func() bool { return slices.Equal(instances(), []string{"a-r3-1 active"}) })
}

// Watched is what the last reading read: a file included only since then, in a
// folder of its own, and one behind a link.
func TestFilesThatCameLaterAreWatchedToo(t *testing.T) {
	t.Parallel()
	text := "functions:\n" + demoFunction(t, "a", 1, "")
	file, replace := configFile(t, text)
	folder, elsewhere := filepath.Join(filepath.Dir(file), "more"), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "target.yaml"), filepath.Join(folder, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(elsewhere, "target.yaml"), "defaults: {retry: {attempts: 1}}\n")
	write(filepath.Join(folder, "new.yaml"), "include: link.yaml\nlog: {access: loud}\n")
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	replace("include: more/new.yaml\n" + text)
	said := func(what string) {
		t.Helper()
		holdfast.Poll(t, 30*time.Second, what, func() bool { return strings.Contains(p.Log(), what) })
	}
	said("is loud")
	write(filepath.Join(folder, "new.yaml"), "include: link.yaml\nlog: {access: all}\n") // of a refused reading
	said("functions.a.retry.attempts: 2 -> 1")
	write(filepath.Join(elsewhere, "target.yaml"), "defaults: {retry: {attempts: 4}}\n")
	said("functions.a.retry.attempts: 1 -> 4")
	// Cut short, as by an editor or a full disk, it must not stop the functions.
	write(file, "")
	said("is empty")
	if status, body, _ := get(t, p.Gateway+"/api/a/hello"); status != http.StatusOK {
		t.Errorf("after the file was cut short: %d %s", status, body)
	}
}

func TestANewCommandTakesOverWithoutAFailedRequest(t *testing.T) {
	t.Parallel()
	file, replace := configFile(t, "functions:\n"+demoFunction(t, "a", 2, ""))
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	var failed, sent atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				res, err := http.Post(p.Gateway+"/api/a/hello?slow=20ms", "", strings.NewReader("x"))
				if sent.Add(1); err != nil || res.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				if err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
		})
	}
	replace("functions:\n" + strings.Replace(demoFunction(t, "a", 2, ""), "platform: {process: {", "platform: {process: {env: {VERSION: two}, ", 1))
	holdfast.Poll(t, 20*time.Second, "taken over", func() bool {
		var answer struct {
			Instances []struct {
				ID     string `json:"id"`
				Status string `json:"status"`
			} `json:"instances"`
		}
		if err := p.API("/api/v1/instances?function=a", &answer); err != nil || len(answer.Instances) != 2 {
			return false
		}
		for _, i := range answer.Instances {
			if !strings.Contains(i.ID, "-r2-") || i.Status != "active" {
				return false
			}
		}
		return true
	})
	close(stop)
	wg.Wait()
	if failed.Load() > 0 || sent.Load() < 20 {
		t.Errorf("%d of %d requests failed", failed.Load(), sent.Load())
	}
}
