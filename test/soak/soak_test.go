// Package soak_test lets a Holdfast with the poll loops serve mixed traffic for
// long while its configuration changes, instances are killed and frozen, and it
// is replaced itself. What instances wrote down and what each answer says of
// its request tell whether an exchange was lost, doubled or mixed up. A second
// Holdfast beside it serves half as much over TLS.
//
// HOLDFAST_SOAK=1 asks for an hour; HOLDFAST_SOAK_TIME and HOLDFAST_SOAK_RATE
// set another length and other requests a second.
package soak_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

// functionArgument makes the test binary an instance.
const functionArgument = "soak-function"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == functionArgument {
		os.Exit(runFunction(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// plan is how long and how hard.
type plan struct {
	length                    time.Duration
	rate                      int
	reloads, troubles, sample time.Duration // times between two
	report                    time.Duration
	settle                    time.Duration // until all is given back
}

func planOf(t *testing.T) plan {
	t.Helper()
	p := plan{24 * time.Second, 100, 4 * time.Second, 2 * time.Second, 500 * time.Millisecond, 10 * time.Second, 40 * time.Second}
	if need.Soak() {
		p = plan{time.Hour, 80, 20 * time.Second, 10 * time.Second, 5 * time.Second, time.Minute, 3 * time.Minute}
	}
	var err error
	if v := os.Getenv("HOLDFAST_SOAK_TIME"); v != "" {
		if p.length, err = time.ParseDuration(v); err != nil {
			t.Fatalf("HOLDFAST_SOAK_TIME: %v", err)
		}
	}
	if v := os.Getenv("HOLDFAST_SOAK_RATE"); v != "" {
		if p.rate, err = strconv.Atoi(v); err != nil || p.rate < 1 {
			t.Fatalf("HOLDFAST_SOAK_RATE: %q is no number of requests a second", v)
		}
	}
	return p
}

func TestMixedTrafficThroughReloadsKillsAndAReplacementLosesNothingAndLeavesNothing(t *testing.T) {
	t.Parallel() // beside the one below
	soak(t, planOf(t), false, "alpha", "beta", "gamma")
}

// Every connection speaks TLS; there are half as many requests.
func TestMixedTrafficOverTLSLosesNothingAndLeavesNothing(t *testing.T) {
	t.Parallel()
	plan := planOf(t)
	plan.rate = max(plan.rate/2, 1)
	soak(t, plan, true, "alpha", "beta")
}

func soak(t *testing.T, plan plan, secure bool, names ...string) {
	t.Helper()
	need.Plain(t)
	if runtime.GOOS != "linux" {
		t.Skip("engine http1 needs Linux")
	}
	x, started := begin(t, secure, names)
	stop, end := context.WithTimeout(t.Context(), plan.length)
	defer end()
	var all sync.WaitGroup
	all.Go(func() { x.load.run(stop, plan.rate) })
	all.Go(func() { x.reloads(stop, plan.reloads) })
	all.Go(func() { x.instances(stop, plan.troubles) })
	before, after := x.watch(stop, t, plan)
	all.Wait()
	x.reload(t.Context(), 0) // as at the start
	x.load.client.close()
	x.wantLevel(t, started, plan.settle)
	judgeMemory(t, "the_first", before)
	judgeMemory(t, "its_successor", after)
	x.book.close()
	t.Log(x.book.summary())
	t.Logf("%d requests a second for %v; %d reloads, %d instances killed, %d frozen, 1 replacement, %d connections",
		plan.rate, plan.length, x.rounds.Load(), x.kills.Load(), x.freezes.Load(), x.load.client.opened)
	x.wantEverythingHappened(t)
	x.wantCleanEnd(t)
}

// begin starts Holdfast and measures it before any traffic.
func begin(t *testing.T, secure bool, names []string) (*trouble, level) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	transport := &http.Transport{DisableKeepAlives: true}
	x := &trouble{
		names: names, binary: self, admin: &http.Client{Transport: transport, Timeout: 10 * time.Second},
		file: filepath.Join(dir, "holdfast.yaml"), ledger: filepath.Join(dir, "ledger"),
	}
	x.book = newBook(func(failure string) { t.Error(failure) }, x.ledger)
	var clients *tls.Config
	if secure {
		x.tls, clients = certified(t, dir)
	}
	x.write(x.config(0))
	p := holdfast.Up(t, "-c", x.file)
	p.Ready(t, 30*time.Second)
	http.DefaultClient.CloseIdleConnections() // which Ready has used
	u, err := url.Parse(p.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	x.process.Store(p)
	x.saveLog(t, "first.log", p)
	x.load = &load{client: &client{address: u.Host, secure: clients}, book: x.book, names: x.names}
	started, err := measure(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("at the start: %v", started)
	return x, started
}

// certified returns the lines of a configuration with a certificate,
// and what clients need to trust it. They resume sessions when they can.
func certified(t *testing.T, dir string) (lines string, clients *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	s.Close() // its certificate is for 127.0.0.1
	pair := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return fmt.Sprintf("tls: {cert: %q, key: %q}\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")),
		&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1", ClientSessionCache: tls.NewLRUClientSessionCache(16)}
}

// saveLog keeps what a process logged when the test fails, with -artifacts for
// good.
func (*trouble) saveLog(t *testing.T, name string, p *holdfast.Process) {
	t.Helper()
	file := filepath.Join(t.ArtifactDir(), name)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if err := os.WriteFile(file, []byte(p.Log()), 0o600); err != nil {
			t.Errorf("keep the log: %v", err)
		}
		t.Logf("log: %s", file)
	})
}

// watch measures and tells how things are until stop ends, and replaces the
// process in the middle. It returns what it measured of the two.
func (x *trouble) watch(stop context.Context, t *testing.T, plan plan) (before, after []level) {
	t.Helper()
	begun := time.Now()
	reported := begun
	replaced := false
	var old sync.WaitGroup
	defer old.Wait()
	for pause(stop, plan.sample) {
		l, err := measure(x.process.Load())
		if err != nil {
			t.Errorf("measure: %v", err)
			continue
		}
		if replaced {
			after = append(after, l)
		} else {
			before = append(before, l)
		}
		if time.Since(reported) >= plan.report {
			reported = time.Now()
			x.book.readLedger()
			t.Logf("%s %s: %v, live heap at most %s; %s", reported.UTC().Format(time.TimeOnly), reported.Sub(begun).Round(time.Second), l, mib(leastHeap(slices.Concat(before, after), plan.report)), x.book.summary())
		}
		if !replaced && time.Since(begun) > plan.length/2 {
			x.replace(t, &old)
			replaced = true
		}
	}
	return before, after
}

// replace starts a new Holdfast in the place of the one that runs, whose end
// old waits for.
func (x *trouble) replace(t *testing.T, old *sync.WaitGroup) {
	t.Helper()
	x.calm.Lock()
	defer x.calm.Unlock()
	begun := time.Now()
	x.book.pass(begun, begun.Add(time.Minute))
	before := x.process.Load()
	next := before.Replace(t, "-c", x.file)
	holdfast.Poll(t, 40*time.Second, "taken over", func() bool {
		_, err := measure(next)
		return err == nil
	})
	x.process.Store(next)
	x.saveLog(t, "successor.log", next)
	t.Logf("replaced: the new process answered after %v", time.Since(begun).Round(time.Millisecond))
	old.Go(func() {
		if err := before.Wait(40 * time.Second); err != nil {
			t.Errorf("the replaced process: %v", err)
		}
		x.book.pass(begun, time.Now().Add(time.Second)) // streams end with the old process at the latest
		t.Logf("the replaced process was gone after %v", time.Since(begun).Round(time.Millisecond))
		if log := before.Log(); panicked.MatchString(log) {
			t.Errorf("the replaced process panicked:\n%s", log)
		}
	})
}

// wantLevel wants what was taken under load to be given back.
func (x *trouble) wantLevel(t *testing.T, started level, limit time.Duration) {
	t.Helper()
	const (
		more      = 4 // a store that writes just now, a check on its way
		moreFiles = 8 // the same, and connections of the store with three files each that were not needed before
	)
	p := x.process.Load()
	var l level
	var open int
	var err error
	for until := time.Now().Add(limit); time.Now().Before(until); pause(t.Context(), 200*time.Millisecond) {
		if l, err = measure(p); err == nil {
			open, err = x.inFlight()
		}
		if err == nil && open == 0 && l.Goroutines <= started.Goroutines+more && l.Files <= started.Files+moreFiles {
			break
		}
	}
	t.Logf("at the end: %v, %d exchanges in flight", l, open)
	if err != nil || open > 0 || l.Goroutines > started.Goroutines+more || l.Files > started.Files+moreFiles {
		t.Errorf("%v after the end: %v, %d exchanges in flight, %v; at the start: %v", limit, l, open, err, started)
	}
	t.Attr("goroutines_start_end", fmt.Sprintf("%d_%d", started.Goroutines, l.Goroutines))
	t.Attr("files_start_end", fmt.Sprintf("%d_%d", started.Files, l.Files))
}

// wantEverythingHappened wants every kind of request to have been answered.
func (x *trouble) wantEverythingHappened(t *testing.T) {
	t.Helper()
	for _, k := range kinds() {
		if x.book.good[k.name] == 0 {
			t.Errorf("no %q went well", k.name)
		}
	}
	if x.rounds.Load() < 2 || x.kills.Load() < 2 || x.freezes.Load() < 1 {
		t.Errorf("only %d reloads, %d killed and %d frozen instances", x.rounds.Load(), x.kills.Load(), x.freezes.Load())
	}
}

// panicked finds the runtime's words, net/http's and Holdfast's own; the log also
// has the configuration, in which panic is a key.
var panicked = regexp.MustCompile(`(?m)^(panic|fatal error): |panic serving|panicked`)

// wantCleanEnd wants no process and no word of a panic to be left.
func (x *trouble) wantCleanEnd(t *testing.T) {
	t.Helper()
	p := x.process.Load()
	if err := p.Stop(20 * time.Second); err != nil {
		t.Error(err)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it ended with code %d", code)
	}
	if panicked.MatchString(p.Log()) {
		t.Errorf("it panicked:\n%s", p.Log())
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), x.ledger) {
			t.Errorf("a process is left: %s", strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
}
