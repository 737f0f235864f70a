package soak_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/test/holdfast"
)

const (
	attemptTimeout = 3 * time.Second // more than a busy machine needs for an answer
	frozenFor      = 8 * time.Second
	records        = 500 // the default's shelf of failed exchanges would take hours to fill, and look like a leak
)

// trouble is what is done to a running Holdfast, and to its instances.
type trouble struct {
	book    *book
	load    *load
	names   []string
	process atomic.Pointer[holdfast.Process]
	admin   *http.Client

	file   string
	tls    string // lines of the configuration; empty: none
	binary string // that is an instance
	ledger string

	calm                   sync.Mutex // held by a reload and by a replacement
	guest                  string     // that is there now; guarded by calm
	kills, freezes, rounds atomic.Int64
}

const guests = 5 // names that come and go, and come back

// config is the configuration of a round. From one to the next a guest comes
// and the one before leaves, the route /moving/ changes its function, and the
// first function its strategy.
func (x *trouble) config(round int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "engine: http1\n%sshutdown_timeout: 10s\nlimits: {record_ring: %d}\ndefaults:\n  timeouts: {attempt: %v}\nfunctions:\n", x.tls, records, attemptTimeout)
	strategies := []string{"p2c", "round-robin", "least-connections", "prequal"}
	for i, name := range x.names {
		routes := fmt.Sprintf("{path: /%s/}", name)
		if i == round%2 {
			routes += ", {path: /moving/}"
		}
		strategy := strategies[0]
		if i == 0 {
			strategy = strategies[round%len(strategies)]
		}
		x.function(&b, name, routes, strategy, 3)
	}
	if round > 0 {
		guest := guestOf(round)
		x.function(&b, guest, fmt.Sprintf("{path: /%s/}", guest), "p2c", 1)
	}
	return b.String()
}

func (x *trouble) function(b *strings.Builder, name, routes, strategy string, n int) {
	fmt.Fprintf(b, "  %s:\n    routes: [%s]\n    health: {type: http, path: /health}\n    load_balancing: {strategy: %s}\n", name, routes, strategy)
	fmt.Fprintf(b, "    platform: {process: {instances: %d, env: {GOMAXPROCS: \"1\"}, command: [%q, %s, -port, '{port}', -ledger, %q]}}\n",
		n, x.binary, functionArgument, x.ledger)
}

func guestOf(round int) string { return fmt.Sprintf("guest%d", round%guests) }

// write replaces the configuration as an editor does.
func (x *trouble) write(text string) {
	err := os.WriteFile(x.file+".new", []byte(text), 0o600)
	if err == nil {
		err = os.Rename(x.file+".new", x.file)
	}
	if err != nil {
		x.book.fail("write the configuration: %v", err)
	}
}

// reload brings a round in force and wants its guest to answer and the one
// before it to be gone; every third time a file with a mistake comes first.
func (x *trouble) reload(ctx context.Context, round int) {
	x.calm.Lock()
	defer x.calm.Unlock()
	if round%3 == 2 {
		x.write(x.config(round) + "  wrong: {rutes: []}\n")
		pause(ctx, time.Second) // the watcher reads it after 200 ms
	}
	x.write(x.config(round))
	leaves := x.guest
	if x.guest = ""; round > 0 {
		x.guest = guestOf(round)
		x.await(ctx, x.guest, http.StatusOK)
	}
	if leaves != "" {
		x.await(ctx, leaves, http.StatusNotFound)
	}
	for i := range 10 {
		if ctx.Err() == nil && x.guest != "" {
			x.load.getBlob(sent{kind: "guest", id: fmt.Sprintf("g%d.%d", round, i), at: time.Now()}, "/"+x.guest+"/", 100)
		}
	}
	x.rounds.Add(1)
}

// await asks until the guest is answered so; that it never is fails the test.
func (x *trouble) await(ctx context.Context, guest string, status int) {
	for until := time.Now().Add(20 * time.Second); ctx.Err() == nil; {
		a, err := x.load.client.ask(loops, http.MethodGet, head(http.MethodGet, "/"+guest+"/"+blobPath(1), "await", ""))
		if err == nil && a.status == status {
			return
		}
		if !pause(ctx, 50*time.Millisecond) {
			return
		}
		if time.Now().After(until) {
			x.book.fail("20 s after a reload %s is not answered with %d but %d %v", guest, status, a.status, err)
			return
		}
	}
}

// pause waits, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reloads brings a new round in force again and again.
func (x *trouble) reloads(ctx context.Context, every time.Duration) {
	for round := 1; pause(ctx, every); round++ {
		x.reload(ctx, round)
	}
}

// instances kills one instance after another; each sixth it freezes instead.
func (x *trouble) instances(ctx context.Context, every time.Duration) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	for n := 1; pause(ctx, every); n++ {
		pid, err := x.victim(rnd)
		switch {
		case err != nil:
			err = fmt.Errorf("list instances: %w", err)
		case pid == 0: // all of them start just now
		case n%6 == 0:
			x.freezes.Add(1)
			err = x.book.freeze(pid, frozenFor)
		default:
			x.kills.Add(1)
			err = x.book.kill(pid)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // it has just ended
			x.book.fail("trouble an instance: %v", err)
		}
	}
}

func (x *trouble) victim(rnd *rand.Rand) (pid int, err error) {
	var list struct {
		Instances []struct {
			Process struct {
				PID int `json:"pid"`
			} `json:"process"`
		} `json:"instances"`
	}
	p := x.process.Load()
	if err = p.API("/api/v1/instances?function="+x.names[rnd.IntN(len(x.names))], &list); err != nil {
		if x.calm.TryLock() { // else one Holdfast is giving way to another
			x.calm.Unlock()
			return 0, err
		}
		return 0, nil
	}
	if len(list.Instances) == 0 {
		return 0, errors.New("there are none")
	}
	return list.Instances[rnd.IntN(len(list.Instances))].Process.PID, nil
}

// inFlight sums the exchanges that /metrics says are under way.
func (x *trouble) inFlight() (sum int, err error) {
	res, err := x.admin.Get(x.process.Load().Admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	for line := range strings.Lines(string(text)) {
		if _, value, found := strings.Cut(line, "} "); found && strings.HasPrefix(line, "holdfast_exchanges_in_flight{") {
			var n int
			if _, err := fmt.Sscan(value, &n); err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, err
}
