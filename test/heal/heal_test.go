// Package heal_test shows the main promise on the real binary: instances are
// killed, frozen, slowed and made to fail under load, one after another, and no
// GET fails and no POST is processed twice.
package heal_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/traffic"
)

const (
	rate           = 500 // requests a second over the three functions
	attemptTimeout = time.Second
	postShare      = 4 // every fourth request is a POST
)

var functions = []string{"admin", "public", "attempts"}

// Two strategies run side by side: more would compete for two processors and
// show how an overloaded machine behaves.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "2"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestInstancesDieFreezeSlowDownAndFailAndNobodyNotices(t *testing.T) {
	need.Plain(t)
	for _, strategy := range []string{"p2c", "round-robin", "least-connections", "response-time", "prequal"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			heal(t, strategy, 60*time.Second)
		})
	}
}

// The poll loops have to heal as well; most of what heals is not theirs, so one
// strategy and the first two wounds will do.
func TestThePollLoopsHealToo(t *testing.T) {
	need.Plain(t)
	if runtime.GOOS != "linux" {
		t.Skip("engine http1 needs Linux")
	}
	t.Parallel()
	ledger := filepath.Join(t.TempDir(), "ledger")
	p := holdfast.Up(t, "-c", writeConfig(t, "p2c", "engine: http1", ledger))
	p.Ready(t, 20*time.Second)
	u, err := url.Parse(p.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	var chaos sync.WaitGroup
	for i, name := range functions {
		chaos.Go(func() {
			time.Sleep(time.Duration(i)*time.Second + 2*time.Second)
			signal(t, p, name, name+"-1", syscall.SIGKILL)
			time.Sleep(3 * time.Second)
			misbehave(t, p, name, name+"-2", "fail=500&for=3s")
		})
	}
	results := load(u.Host, 15*time.Second)
	chaos.Wait()
	judge(t, "p2c on http1", results, ledger)
}

func heal(t *testing.T, strategy string, length time.Duration) {
	ledger := filepath.Join(t.TempDir(), "ledger")
	p := holdfast.Up(t, "-c", writeConfig(t, strategy, "engine: std", ledger))
	p.Ready(t, 20*time.Second)
	u, err := url.Parse(p.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	var chaos sync.WaitGroup
	for i, name := range functions {
		chaos.Go(func() { torment(t, p, name, time.Duration(i)*time.Second) })
	}
	results := load(u.Host, length)
	chaos.Wait()
	judge(t, strategy, results, ledger)
}

func writeConfig(t *testing.T, strategy, more, ledger string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nlog: {access: off}\ndefaults:\n  load_balancing: {strategy: %s}\n  timeouts: {attempt: %s}\nfunctions:\n", more, strategy, attemptTimeout)
	for _, name := range functions {
		fmt.Fprintf(&b, "  %s:\n    routes: [{path: /api/%s/}]\n    platform: {process: {instances: 3, command: [%q, demo-function, --name, %s, --id, '{id}', --port, '{port}', --ledger, %q]}}\n",
			name, name, holdfast.Binary(t), name, ledger)
	}
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// torment does all four things to a function, each to another instance where
// there are enough, one after another. Nothing is restarted here; a frozen
// process is thawed, since that is what frozen means.
func torment(t *testing.T, p *holdfast.Process, name string, after time.Duration) {
	time.Sleep(after + 3*time.Second)
	signal(t, p, name, name+"-1", syscall.SIGKILL)
	time.Sleep(5 * time.Second)
	pid := signal(t, p, name, name+"-2", syscall.SIGSTOP)
	time.Sleep(30 * time.Second)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Errorf("thaw %s-2: %v", name, err)
	}
	time.Sleep(2 * time.Second)
	misbehave(t, p, name, name+"-3", "slow=700ms&for=6s")
	time.Sleep(8 * time.Second)
	misbehave(t, p, name, name+"-1", "fail=500&for=5s")
}

type instance struct {
	ID       string `json:"id"`
	Endpoint string `json:"endpoint"`
	Process  struct {
		PID int `json:"pid"`
	} `json:"process"`
}

func find(t *testing.T, p *holdfast.Process, name, id string) (instance, bool) {
	t.Helper()
	var answer struct {
		Instances []instance `json:"instances"`
	}
	if err := p.API("/api/v1/instances?function="+name, &answer); err != nil {
		t.Errorf("list instances: %v", err)
		return instance{}, false
	}
	i := slices.IndexFunc(answer.Instances, func(i instance) bool { return i.ID == id })
	if i < 0 {
		t.Errorf("no instance %s in %+v", id, answer)
		return instance{}, false
	}
	return answer.Instances[i], true
}

func signal(t *testing.T, p *holdfast.Process, name, id string, sig syscall.Signal) (pid int) {
	t.Helper()
	i, ok := find(t, p, name, id)
	if !ok {
		return 0
	}
	if err := syscall.Kill(i.Process.PID, sig); err != nil {
		t.Errorf("%v to %s (pid %d): %v", sig, id, i.Process.PID, err)
	}
	return i.Process.PID
}

func misbehave(t *testing.T, p *holdfast.Process, name, id, how string) {
	t.Helper()
	i, ok := find(t, p, name, id)
	if !ok {
		return
	}
	res, err := http.Post(i.Endpoint+"/api/"+name+"/switch?"+how, "", nil)
	if err != nil {
		t.Errorf("switch %s to %s: %v", id, how, err)
		return
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("switch %s to %s: %d", id, how, res.StatusCode)
	}
}

type result struct {
	method string
	id     string
	status int
	body   string
	err    error
	took   time.Duration // since the planned time
	at     time.Duration
}

// load sends requests at their planned times, whatever became of those before
// (open model); one that cannot be sent counts as failed.
func load(address string, length time.Duration) []result {
	client := &traffic.Client{Address: address, Timeout: 15 * time.Second}
	defer client.Close()
	n := int(length.Seconds()) * rate
	results := make([]result, n)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		planned := start.Add(time.Duration(i) * time.Second / rate)
		time.Sleep(time.Until(planned))
		wg.Go(func() {
			r := &results[i]
			name := functions[i%len(functions)]
			r.method, r.id, r.at = http.MethodGet, fmt.Sprintf("%d", i), planned.Sub(start)
			path := "/api/" + name + "/hello"
			if i%postShare == 0 {
				r.method, path = http.MethodPost, "/api/"+name+"/ledger"
			}
			r.status, r.body, r.err = client.Do(r.method, path, r.id)
			r.took = time.Since(planned)
		})
	}
	wg.Wait()
	return results
}

func judge(t *testing.T, strategy string, results []result, ledger string) {
	t.Helper()
	var took []time.Duration
	gets, posts, failedPosts, shown := 0, 0, 0, 0
	acknowledged := map[string]bool{}
	for _, r := range results {
		good := r.err == nil && r.status == http.StatusOK
		if r.method == http.MethodPost {
			posts++
			if !good {
				failedPosts++
			} else {
				acknowledged[r.id] = true
			}
			continue
		}
		gets++
		took = append(took, r.took)
		if !good {
			if shown++; shown <= 10 {
				t.Errorf("GET %s at %v failed after %v: %d %q %v", r.id, r.at, r.took, r.status, strings.TrimSpace(r.body), r.err)
			}
		}
	}
	slices.Sort(took)
	p50, p99, top := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	if p99 > attemptTimeout+100*time.Millisecond {
		t.Errorf("p99 of GET is %v, allowed are %v", p99, attemptTimeout+100*time.Millisecond)
	}
	twice := traffic.CheckLedger(t, ledger, acknowledged)
	t.Logf("%-18s %d GET, %d failed, p50 %v p99 %v max %v; %d POST, %d without a good answer, %d processed twice",
		strategy, gets, shown, p50.Round(10*time.Microsecond), p99.Round(time.Millisecond), top.Round(time.Millisecond), posts, failedPosts, twice)
	t.Attr("get_failed", fmt.Sprint(shown))
	t.Attr("get_p99", p99.Round(time.Millisecond).String())
	t.Attr("post_processed_twice", fmt.Sprint(twice))
	t.Attr("post_without_a_good_answer", fmt.Sprintf("%d of %d", failedPosts, posts))
}
