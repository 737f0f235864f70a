package secrets_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

const (
	recovery   = "/api/admin/monitoring/auto-recovery"
	ownEnviron = "environ of Holdfast"
)

// run is one running Holdfast and all that was seen of it.
type run struct {
	t              *testing.T
	given          *given
	cmd            *exec.Cmd
	client         *http.Client
	gateway, base  string
	data, conf     string
	stdout, stderr output
	ended          chan struct{}
	seen           []surface
}

// output is what a process prints, readable meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func start(t *testing.T, g *given, store string) *run {
	t.Helper()
	data, err := os.MkdirTemp("", "hf-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	r := &run{t: t, given: g, data: data, ended: make(chan struct{})}
	r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: ready} //nolint:gosec // our own certificate
	t.Cleanup(r.client.CloseIdleConnections)
	r.conf = r.file()
	r.cmd = holdfast.Command(context.Background(), t, "up", "-c", r.conf, "--data-dir", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	r.cmd.Env = append(r.cmd.Env, "CANARY_PASSWORD="+g.put("a variable of the configuration", ownEnviron, "environ of "), "HOLDFAST_STORE="+store)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.cmd.Wait(); close(r.ended) }()
	t.Cleanup(func() {
		_ = r.cmd.Process.Signal(syscall.SIGINT)
		r.wait()
		if t.Failed() {
			t.Logf("%s", r.stderr.String()[:min(len(r.stderr.String()), 6000)])
		}
	})
	holdfast.Poll(t, ready, "it tells its addresses", func() bool {
		r.gateway, r.base = after(r.stdout.String(), "gateway "), after(r.stdout.String(), "admin ")
		return r.base != ""
	})
	holdfast.Poll(t, ready, "ready", func() bool {
		res := r.raw(http.MethodGet, "/readyz", "", nil)
		return res.StatusCode == http.StatusOK && strings.Contains(r.stderr.String(), "function=guarded instance=guarded-1 from=recovering to=active")
	})
	r.ownSecrets()
	return r
}

func after(text, name string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimLeft(line, " "), name); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func (r *run) wait() {
	select {
	case <-r.ended:
	case <-time.After(ready):
		_ = r.cmd.Process.Kill()
		<-r.ended
	}
}

// ownSecrets are those Holdfast made itself.
func (r *run) ownSecrets() {
	g := r.given
	g.known("the first token", half(r.t, strings.TrimSpace(r.read("admin-token"))), "file admin-token")
	key := r.read("affinity-key")
	g.known("the affinity key", key, "file affinity-key")
	g.known("the affinity key in hex", hex.EncodeToString([]byte(key)))
	// Of the key's text, what is neither its form nor its public half.
	lines := strings.Split(r.read("admin-key.pem"), "\n")
	if len(lines) < 4 || !strings.HasPrefix(lines[0], "-----BEGIN") || len(lines[2]) < 22 {
		r.t.Fatal("no TLS key to look for")
	}
	g.known("the TLS key", lines[2][:22], "file admin-key.pem")
}

func (r *run) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.data, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// half is the secret part of a token.
func half(t *testing.T, secret string) string {
	t.Helper()
	parts := strings.Split(secret, "_")
	if len(parts) != 3 || len(parts[2]) != 64 {
		t.Fatalf("no token: %d parts", len(parts))
	}
	return parts[2]
}

func (r *run) admin() http.Header {
	return http.Header{"Authorization": {"Bearer " + strings.TrimSpace(r.read("admin-token"))}}
}

func (r *run) raw(method, path, body string, h http.Header) *http.Response {
	r.t.Helper()
	req, err := http.NewRequest(method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = h.Clone()
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(b))
	return res
}

// silent asks without keeping the answer, which holds a secret on purpose.
func (r *run) silent(method, path, body string, h http.Header) string {
	r.t.Helper()
	res := r.raw(method, path, body, h)
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
	}
	return string(b)
}

func (r *run) into(v any, text string) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		r.t.Fatal(err)
	}
}

// ask asks the admin interface and keeps head and body of the answer.
func (r *run) ask(method, path, body string, h http.Header) {
	r.t.Helper()
	res := r.raw(method, path, body, h)
	b, _ := io.ReadAll(res.Body)
	var head strings.Builder
	_ = res.Header.Write(&head)
	name := method + " " + path
	if i := strings.IndexByte(name, '?'); i >= 0 {
		name = name[:i]
	}
	r.seen = append(r.seen, surface{name, res.Status + "\n" + head.String() + "\n" + string(b)})
}

// send is a request of a client; what an instance answers is its business.
func (r *run) send(method, url, body string, h http.Header) {
	r.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = h.Clone()
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
}

func basicOf(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// look reads everything there is to read: the API, the commands, processes,
// files, and last what it prints when it is made to dump its goroutines.
func (r *run) look() {
	r.everyGet()
	r.events()
	r.commands()
	r.processes()
	_ = r.cmd.Process.Signal(syscall.SIGQUIT)
	r.wait()
	text := r.stderr.String()
	at := strings.Index(text, "SIGQUIT")
	if at < 0 {
		r.t.Fatal("it does not dump its goroutines")
	}
	r.seen = append(r.seen, surface{"log", text[:at]}, surface{"dump of goroutines", text[at:]}, surface{"stdout", r.stdout.String()})
	r.files()
}

// everyGet asks what the OpenAPI document lists.
func (r *run) everyGet() {
	as := r.admin()
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	r.into(&doc, r.silent(http.MethodGet, "/api/openapi.json", "", as))
	var last struct{ Requests []struct{ ID string } }
	r.into(&last, r.silent(http.MethodGet, "/api/v1/requests?n=1000", "", as))
	if len(last.Requests) == 0 {
		r.t.Fatal("no requests")
	}
	for path, methods := range doc.Paths {
		if methods["get"] == nil {
			continue
		}
		for _, function := range []string{"public", "guarded", "still"} {
			instance := map[string]string{"public": "public-1", "guarded": "guarded-1", "still": "x"}[function]
			for n, q := range last.Requests {
				if n > 0 && !strings.Contains(path, "{id}") {
					break
				}
				r.ask(http.MethodGet, strings.NewReplacer("{function}", function, "{instance}", instance, "{id}", q.ID).Replace(path), "", as)
			}
			if !strings.Contains(path, "{function}") {
				break
			}
		}
	}
	for _, action := range []string{"status", "instances", "circuit-breakers"} {
		r.ask(http.MethodGet, recovery+"?action="+action, "", as)
	}
	r.ask(http.MethodGet, "/api/v1/requests?n=1000", "", as)
}

// events reads what the stream has for a new follower.
func (r *run) events() {
	req, err := http.NewRequest(http.MethodGet, r.base+"/api/v1/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = r.admin()
	req.Header.Set("Accept", "text/event-stream")
	ctx, stop := context.WithTimeout(r.t.Context(), time.Second)
	defer stop()
	res, err := r.client.Do(req.WithContext(ctx))
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body) // ends with ctx
	if !strings.Contains(string(b), "event: instance_status") {
		r.t.Errorf("the stream is empty: %q", b)
	}
	r.seen = append(r.seen, surface{"event stream", string(b)})
}

// commands runs what reads, as tables and as JSON.
func (r *run) commands() {
	for _, args := range [][]string{
		{"status"},
		{"instances"},
		{"breakers"},
		{"requests"},
		{"requests", "--failed"},
		{"events"},
		{"actions"},
		{"audit"},
		{"token", "list"},
		{"config", "get"},
		{"config", "get", "--origin"},
		{"config", "diff", "-c", r.conf},
		{"config", "history"},
		{"log-level"},
		{"doctor", "-c", r.conf},
		{"check", "-c", r.conf},
		{"explain", "instance", "public/public-1"},
		{"explain", "breaker", "public"},
		{"explain", "instance", "still/x"},
		{"function", "failover", "still"},
	} {
		for _, form := range []string{"table", "json"} {
			out, _ := command(r.t, ready, syscall.SIGKILL, append(args, "-o", form, "--data-dir", r.data)...)
			if out == "" {
				r.t.Errorf("%v prints nothing", args)
			}
			r.seen = append(r.seen, surface{"holdfast " + strings.Join(args, " ") + " -o " + form, out})
		}
	}
}

// command runs holdfast and returns all it prints and its exit code; one that
// goes on after limit is sent end.
func command(t *testing.T, limit time.Duration, end syscall.Signal, args ...string) (string, int) {
	t.Helper()
	cmd := holdfast.Command(context.Background(), t, args...)
	cmd.Dir = t.TempDir()
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(cmd.Env, "CANARY_PASSWORD=unused")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Signal(end) })
	_ = cmd.Wait()
	timer.Stop()
	return out.String(), cmd.ProcessState.ExitCode()
}

// processes reads the command line and the environment of Holdfast and all
// below it, as "holdfast/instance".
func (r *run) processes() {
	own := strconv.Itoa(r.cmd.Process.Pid)
	r.process(own, "Holdfast")
	count := 0
	for _, pid := range below(own) {
		name := "child " + pid
		cmdline, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		for _, i := range []string{"public-1", "guarded-1"} {
			if strings.Contains(string(cmdline), i) {
				name = i
				count++
			}
		}
		r.process(pid, name)
	}
	if count < 2 {
		r.t.Errorf("%d instances found among the processes", count)
	}
}

func (r *run) process(pid, name string) {
	for _, what := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile("/proc/" + pid + "/" + what)
		if err != nil || len(b) == 0 {
			r.t.Errorf("%s of %s: %d bytes, %v", what, name, len(b), err)
		}
		r.seen = append(r.seen, surface{what + " of " + name, strings.ReplaceAll(string(b), "\x00", "\n")})
	}
}

// below are all processes under one.
func below(pid string) []string {
	var list []string
	tasks, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
	for _, t := range tasks {
		f, err := os.Open(t)
		if err != nil {
			continue // the thread is gone
		}
		words := bufio.NewScanner(f)
		words.Split(bufio.ScanWords)
		for words.Scan() {
			list = append(append(list, words.Text()), below(words.Text())...)
		}
		_ = f.Close()
	}
	return list
}

// files reads the data directory, after Holdfast has ended.
func (r *run) files() {
	err := filepath.WalkDir(r.data, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(r.data, path)
		r.seen = append(r.seen, surface{"file " + name, string(b)})
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && name != "admin-cert.pem" {
			r.t.Errorf("%s can be read by others: %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
}
