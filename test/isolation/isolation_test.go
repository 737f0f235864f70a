// Package isolation_test measures whether a gateway notices that work in a
// supervised child panics, leaks and spins beside it.
package isolation_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/child"
	"holdfast/internal/supervise"
	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/traffic"
)

const (
	rate   = 500
	window = 2 * time.Second
	rounds = 5  // windows of each kind; in the long form longRounds
	most   = 32 // as long as the medians are too far apart to be sure, or a child did nothing

	longRounds = 100

	// What the gateway's p99 may move, whichever is more. It is asserted in the
	// long form, where the medians are steady; the short form has limits that
	// hold on any machine, however busy, and asserts besides what no neighbour
	// can change: the processor time of the child that spins.
	allowedShare, allowedTime = 0.10, time.Millisecond
	coarseShare, coarseTime   = 1.00, 500 * time.Millisecond

	cpuPercent = 50 // of one processor, for each child
)

// partEnv makes this binary play the child.
const partEnv = "HF_TEST_PART"

func TestMain(m *testing.M) {
	if os.Getenv(partEnv) != "" {
		os.Exit(play())
	}
	flag.Parse()
	os.Exit(m.Run())
}

func play() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := supervise.Serve(ctx, supervise.FD, map[string]supervise.Handler{
		"panic": supervise.Handle(func(context.Context, struct{}) (int, error) { panic("as asked") }),
		"leak":  supervise.Handle(leak),
		"spin":  supervise.Handle(spin),
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func leak(ctx context.Context, _ struct{}) (int, error) {
	var held [][]byte
	for ctx.Err() == nil {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
	return len(held), ctx.Err()
}

func spin(ctx context.Context, _ struct{}) (int, error) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil { //nolint:revive // to spin is what it is for
			}
		})
	}
	wg.Wait()
	return 0, ctx.Err()
}

// torment is a child and what it is asked to do, again and again.
type torment struct {
	*supervise.Child
	method string
	ended  atomic.Int64 // calls that ended with the child
}

func start(t *testing.T, method string) *torment {
	t.Helper()
	self, err := supervise.Self()
	if err != nil {
		t.Fatal(err)
	}
	c, err := supervise.New(supervise.Config{
		Name: method, Command: []string{self}, Env: []string{partEnv + "=child"},
		Limits:  supervise.Limits{MemoryBytes: 128 << 20, CPUPercent: cpuPercent, Background: true},
		Backoff: child.Backoff{Base: 100 * time.Millisecond, Max: 300 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &torment{Child: c, method: method}
}

// go on until ctx ends.
func (x *torment) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := x.Call(ctx, x.method, nil, nil); errors.Is(err, supervise.ErrEnded) {
			x.ended.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestAChildThatPanicsLeaksAndSpinsDoesNotSlowTheGateway(t *testing.T) {
	need.Plain(t)
	p := holdfast.Up(t, "-n", "2", "--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}")
	p.Ready(t, 20*time.Second)
	u, err := url.Parse(p.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	children := []*torment{start(t, "panic"), start(t, "leak"), start(t, "spin")}
	measure(t, u.Host) // warm
	least := rounds
	if need.Soak() {
		least = longRounds
	}
	var alone, beside []time.Duration
	used := &spent{child: children[2]}
	// A child in the background may get next to nothing of a busy machine: until each has done what it is for.
	idle := func() bool { return used.cpu == 0 || children[0].ended.Load() == 0 || children[1].ended.Load() == 0 }
	for len(alone) < least || len(alone) < most && (idle() || need.Soak() && moved(alone, beside, allowedShare, allowedTime)) {
		alone = append(alone, measure(t, u.Host))
		ctx, calm := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, c := range children {
			wg.Go(func() { c.run(ctx) })
		}
		used.begin(t)
		beside = append(beside, measure(t, u.Host))
		used.end(t)
		calm()
		wg.Wait()
	}
	judge(t, alone, beside)
	used.judge(t)
	for _, c := range children {
		s := c.Status()
		t.Logf("%-5s %d calls ended with the child, %d restarts; %s", c.method, c.ended.Load(), s.Restarts, s.InForce)
		if c.method != "spin" && c.ended.Load() == 0 {
			t.Errorf("%s: nothing happened to the child: %+v", c.method, s)
		}
	}
	t.Attr("limits", strings.ReplaceAll(children[2].Status().InForce.String(), " ", "_"))
}

// moved compares the medians.
func moved(alone, beside []time.Duration, share float64, atLeast time.Duration) bool {
	if len(alone) == 0 {
		return false
	}
	before, with := median(alone), median(beside)
	return with-before > max(time.Duration(share*float64(before)), atLeast)
}

// spent is the processor time of a child that takes all it can get.
type spent struct {
	child     *torment
	pid       int
	before    time.Duration
	at        time.Time
	cpu, wall time.Duration
}

func (s *spent) begin(t *testing.T) {
	t.Helper()
	if s.pid = s.child.Status().PID; s.pid != 0 {
		s.before, s.at = holdfast.CPU(t, s.pid), time.Now()
	}
}

// end counts a window in which the child was the same all the time.
func (s *spent) end(t *testing.T) {
	t.Helper()
	if s.pid != 0 && s.pid == s.child.Status().PID {
		s.cpu += holdfast.CPU(t, s.pid) - s.before
		s.wall += time.Since(s.at)
	}
}

// judge wants no more than the limit where the kernel keeps it, else no more
// than the one processor the Go runtime is told of, and the lowest priority.
func (s *spent) judge(t *testing.T) {
	t.Helper()
	share, limit := s.cpu.Seconds()/s.wall.Seconds(), 1.1
	if by := s.child.Status().InForce.CPUBy; by == supervise.ByCgroup1 || by == supervise.ByCgroup2 {
		limit = 1.2 * cpuPercent / 100
	} else if nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, s.child.Status().PID); err != nil || 20-nice < 10 {
		t.Errorf("the child that spins runs at priority %d (%v), want 10 or lower where cpu is limited by %s", 20-nice, err, by)
	}
	t.Logf("the child that spins used %.2f of a processor, may use %.2f", share, limit)
	t.Attr("cpu_of_spinning_child", fmt.Sprintf("%.2f", share))
	if share > limit || s.cpu == 0 {
		t.Errorf("the child that spins used %.2f of a processor, want more than none and at most %.2f", share, limit)
	}
}

func judge(t *testing.T, alone, beside []time.Duration) {
	t.Helper()
	t.Logf("p99 alone %v, beside the children %v (medians of %d windows of %v)", median(alone), median(beside), len(alone), window)
	t.Attr("p99_alone", median(alone).String())
	t.Attr("p99_beside_children", median(beside).String())
	share, atLeast := coarseShare, coarseTime
	if need.Soak() {
		share, atLeast = allowedShare, allowedTime
	}
	if moved(alone, beside, share, atLeast) {
		t.Errorf("the p99 of the gateway moved from %v to %v, more than %.0f %% and %v", median(alone), median(beside), 100*share, atLeast)
	}
}

// measure is the p99 of one window.
func measure(t *testing.T, address string) time.Duration {
	t.Helper()
	stop := make(chan struct{})
	timer := time.AfterFunc(window, func() { close(stop) })
	defer timer.Stop()
	results := traffic.Load{Rate: rate, Next: func(int) traffic.Request {
		return traffic.Request{Method: http.MethodGet, Path: "/api/web/hello"}
	}}.Run(&traffic.Client{Address: address, Timeout: 10 * time.Second}, stop)
	took := make([]time.Duration, 0, len(results))
	for _, r := range results {
		if r.Err != nil || r.Status != http.StatusOK {
			t.Errorf("GET %s: %d %v", r.ID, r.Status, r.Err)
		}
		took = append(took, r.Took)
	}
	slices.Sort(took)
	return took[len(took)*99/100].Round(10 * time.Microsecond)
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
