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
	rounds = 8  // windows of each kind
	most   = 32 // as long as the medians are too far apart to be sure

	// What the gateway's p99 may move, whichever is more.
	allowedShare = 0.10
	allowedTime  = time.Millisecond
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

func start(t *testing.T, method string, background bool) *torment {
	t.Helper()
	self, err := supervise.Self()
	if err != nil {
		t.Fatal(err)
	}
	c, err := supervise.New(supervise.Config{
		Name: method, Command: []string{self}, Env: []string{partEnv + "=child"},
		Limits:  supervise.Limits{MemoryBytes: 128 << 20, CPUPercent: 50, Background: background},
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
	children := []*torment{start(t, "panic", false), start(t, "leak", false), start(t, "spin", true)}
	measure(t, u.Host) // warm
	least := rounds
	if need.Soak() {
		least = 150
	}
	var alone, beside []time.Duration
	for len(alone) < least || need.Soak() && len(alone) < most && moved(alone, beside) {
		alone = append(alone, measure(t, u.Host))
		ctx, calm := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, c := range children {
			wg.Go(func() { c.run(ctx) })
		}
		beside = append(beside, measure(t, u.Host))
		calm()
		wg.Wait()
	}
	judge(t, alone, beside)
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
func moved(alone, beside []time.Duration) bool {
	before, with := median(alone), median(beside)
	return with-before > max(time.Duration(allowedShare*float64(before)), allowedTime)
}

func judge(t *testing.T, alone, beside []time.Duration) {
	t.Helper()
	t.Logf("p99 alone %v, beside the children %v (medians of %d windows of %v)", median(alone), median(beside), len(alone), window)
	t.Attr("p99_alone", median(alone).String())
	t.Attr("p99_beside_children", median(beside).String())
	// The figure is for a quiet machine; on a busy one the short form only sees
	// that no request fails.
	if need.Soak() && moved(alone, beside) {
		t.Errorf("the p99 of the gateway moved from %v to %v", median(alone), median(beside))
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
