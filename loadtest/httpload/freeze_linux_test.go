package httpload_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/schedule"
	"holdfast/test/need"
)

// server is a process of its own that can be stopped. It answers at once, or one request after the other, each for the
// duration in mode; or never, when mode is silent.
func server(mode string) {
	delay, _ := time.ParseDuration(mode)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(l.Addr().String() + "\n")
	if mode == "silent" {
		for held := map[net.Conn]bool{}; ; {
			c, err := l.Accept()
			if err != nil {
				panic(err)
			}
			held[c] = true // out of the garbage collector's reach
		}
	}
	var mu sync.Mutex
	var free time.Time                                                        // when the request before is done
	http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { //nolint:gosec // a test's server
		if delay > 0 {
			mu.Lock()
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(delay)
			end := free
			mu.Unlock()
			time.Sleep(time.Until(end))
		}
	}))
}

// process starts the server and returns its address.
func process(t *testing.T, mode string) (*os.Process, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "HOLDFAST_TEST_SERVER="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process, "http://" + address[:len(address)-1] + "/"
}

// The test of coordinated omission: a process that is stopped for a second at 1,000 requests a second. What was due in
// that second took from a second down to nothing, so the slowest hundredth of all took 1 s less the hundredth's share of
// the second. Only the few under way can know it by their service time.
func TestAFrozenProcessShowsInTheResponseTimes(t *testing.T) { //nolint:paralleltest // it measures time
	need.Plain(t)
	length, freeze := 10*time.Second, time.Second
	if need.Soak() {
		length = 30 * time.Second
	}
	p, url := process(t, "0s")
	client, err := httpload.New(httpload.Config{Requests: get(url)})
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(2*time.Second+length/3, func() {
		p.Signal(syscall.SIGSTOP)
		time.Sleep(freeze)
		p.Signal(syscall.SIGCONT)
	})
	defer stop.Stop()
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Rate: 1000, Warmup: 2 * time.Second, Duration: length, MaxInFlight: 8, CatchUp: 20})
	if err != nil {
		t.Fatal(err)
	}
	n := int64(length.Seconds() * 1000)
	if r.Total.Planned() != n || r.Total.Failures() > 0 {
		t.Errorf("%d requests, %d failed, want %d and none; %v", r.Total.Planned(), r.Total.Failures(), n, r.Errors)
	}
	theory := freeze - length/100
	got, service := r.Total.Response.Quantile(0.99), r.Total.Service.Quantile(0.99)
	t.Logf("response p99 %v (theory %v), service p99 %v, timer lag p50 %v p99 %v", got, theory, service, r.Total.TimerLag.Quantile(0.5), r.Total.TimerLag.Quantile(0.99))
	if got < theory*95/100 || got > theory*105/100 {
		t.Errorf("response p99 is %v, want %v within 5 %%", got, theory)
	}
	if service > theory/10 {
		t.Errorf("service p99 is %v, want milliseconds: it cannot know of the freeze", service)
	}
}

// In real time, over real connections: the response times of a server that takes 100 ms for each request, one after the
// other, are those of the M/D/1 queue.
func TestPercentilesOfARealServerAgreeWithQueueingTheory(t *testing.T) { //nolint:paralleltest // it measures time
	need.Plain(t)
	const d, rho = 100 * time.Millisecond, 0.6
	_, url := process(t, d.String())
	if !need.Soak() {
		agreesWithItsArrivals(t, url, d, rho*float64(time.Second/d))
		return
	}
	client, err := httpload.New(httpload.Config{Requests: get(url)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Rate: rho * float64(time.Second/d), Spacing: schedule.Poisson, Seed: 1050, Warmup: 3 * time.Second, Duration: 4 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	// Response times of M/D/1 at 0.6 in units of d, by Erlang's formula (see the test of package loadtest in virtual time).
	// The 1,416 arrivals of seed 1050, served without any delay of a network or machine, lie within 0.5 % of it.
	for q, want := range map[float64]float64{0.5: 1.3719, 0.9: 3.0984, 0.99: 5.5296} {
		got := r.Total.Response.Quantile(q)
		theory := time.Duration(want * float64(d))
		t.Logf("quantile %v: %v, theory %v (%+.1f %%)", q, got, theory, 100*(float64(got)/float64(theory)-1))
		if got < theory*95/100 || got > theory*105/100 {
			t.Errorf("quantile %v is %v, want %v within 5 %%", q, got, theory)
		}
	}
}

// agreesWithItsArrivals is the short form: too few requests for theory, but what a queue makes of exactly these arrivals can
// be told.
func agreesWithItsArrivals(t *testing.T, url string, d time.Duration, rate float64) {
	t.Helper()
	const seed, length = 7, 15 * time.Second
	curve, err := schedule.NewCurve(schedule.Stage{Rate: rate, Duration: length})
	if err != nil {
		t.Fatal(err)
	}
	var want []time.Duration
	free := time.Duration(0)
	for a := schedule.NewArrivals(curve, schedule.Poisson, seed); ; {
		at, ok := a.Next()
		if !ok {
			break
		}
		free = max(free, at) + d
		want = append(want, free-at)
	}
	slices.Sort(want)
	client, err := httpload.New(httpload.Config{Requests: get(url)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Rate: rate, Spacing: schedule.Poisson, Seed: seed, Duration: length})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Total.Response.Count(); got != int64(len(want)) {
		t.Fatalf("%d requests, want %d", got, len(want))
	}
	for _, q := range []float64{0.5, 0.9} {
		got, theory := r.Total.Response.Quantile(q), want[int(q*float64(len(want)))]
		t.Logf("quantile %v: %v, by its arrivals %v", q, got, theory)
		if got < theory*9/10 || got > theory*11/10+100*time.Millisecond { // a busy machine serves later, never earlier
			t.Errorf("quantile %v is %v, want %v", q, got, theory)
		}
	}
}

// Two thousand users: what one of them takes of heap and stacks, while all wait for their answer and as fast as they are
// answered.
func TestAUserTakesLessThanEightKibibytes(t *testing.T) { //nolint:paralleltest // it measures memory
	need.Plain(t)
	for what, mode := range map[string]string{"waiting": "silent", "at full speed": "0s"} {
		_, url := process(t, mode)
		each := takenByEach(t, url, 2000, 8<<10)
		t.Logf("a user takes %d bytes %s", each, what)
		if each == 0 || each > 8<<10 {
			t.Errorf("a user takes %d bytes %s, want 8 KiB at most", each, what)
		}
	}
}

// takenByEach is what a user takes, looked at until it is no more than most, but ten times at the most.
func takenByEach(t *testing.T, url string, users int, most uint64) (each uint64) {
	t.Helper()
	client, err := httpload.New(httpload.Config{Requests: get(url)})
	if err != nil {
		t.Fatal(err)
	}
	before, looks := memory(), 0
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	_, err = loadtest.Run(ctx, loadtest.Config{
		Client: client, Concurrency: users, Duration: time.Minute, Timeout: time.Minute,
		OnPoint: func(p loadtest.Point) {
			if p.InFlight < int64(users)*9/10 {
				return
			}
			// At first some may still be connecting, which takes more for a moment.
			each = max(memory(), before) - before
			each /= uint64(users) //nolint:gosec // not negative
			if looks++; each <= most || looks == 10 {
				stop()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return each
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
