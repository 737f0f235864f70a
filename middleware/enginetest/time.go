package enginetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/middleware"
	"holdfast/retry"
)

// These run in a bubble of package synctest: time passes when all wait.
func timeTests() []test {
	return []test{
		{"an attempt times out and another instance answers", attemptTimeout},
		{"an attempt that timed out is not repeated for a POST", attemptTimeoutPOST},
		{"an exchange times out over all its attempts", exchangeTimeout},
		{"a connection that is not made in time lets another instance answer", connectTimeout},
		{"a place in the queue is held for the queue timeout", queueTimeout},
		{"a client that leaves while queued is forgotten", goneQueued},
		{"a request waits for an instance to become ready", waitsForInstance},
		{"a retry on the same instance waits out its backoff", backoff},
		{"Retry-After is a floor for the wait", retryAfter},
		{"a long Retry-After is left to the client", longRetryAfter},
		{"an answer that stands still is cut after the idle timeout", idleAnswer},
		{"a slow answer is not cut", slowAnswer},
		{"a slow upload is neither cut nor held against the instance", slowUpload},
		{"a slow upload is not the instance's latency", uploadIsNoLatency},
		{"an instance that gives up on a slow upload was not slow itself", givesUpOnUpload},
		{"a slow upload leaves the time for a retry", retryAfterUpload},
		{"what is missing of a slow upload after a wait is not held against the instance", slowUploadAfterWait},
		{"an upload that stands still is cut and nobody is blamed", stalledUpload},
		{"an upload that stands still under an answer is cut and nobody is blamed", stalledUnderAnswer},
		{"an instance that becomes usable is taken at once, also when it starts slowly", waitsForSlowStart},
		{"a client that does not take a 1xx answer is cut and nobody is blamed", stalledInform},
		{"an instance that does not take an upload times out", untakenUpload},
		{"a client that takes nothing is cut and nobody is blamed", stalledReader},
		{"an upgraded connection lives while bytes flow one way", idleTunnel},
		{"a short upload behind a slow client does not hold a local answer", slowLocal},
	}
}

func sleep(d time.Duration) { <-time.After(d) }

// hang never answers.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// took fails the test unless exactly this much time passed since began.
func took(t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(began); got != want {
		t.Errorf("took %v, want %v", got, want)
	}
}

func attemptTimeout(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "slow", hang), m.instance(t, "good", gotBody))
	f.Instances[1].Priority = 1
	f.Policy.Timeouts.Attempt = 2 * time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	a := w.do(t, w.request(t, "PUT", "/", strings.NewReader("data")))
	a.is(t, 200, "got data")
	took(t, began, 2*time.Second)
	if rec := w.record(t, a); rec.Attempts[0].Kind != retry.Timeout || !rec.Attempts[0].Sent {
		t.Errorf("first attempt: %s, sent %v", rec.Attempts[0].Kind, rec.Attempts[0].Sent)
	}
	w.failures(t, "i0", 1)
}

func attemptTimeoutPOST(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "slow", hang), m.instance(t, "good", gotBody))
	f.Instances[1].Priority = 1
	f.Policy.Timeouts.Attempt = 2 * time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	w.post(t, "/", "data").is(t, 504, "504 attempt timeout\n")
	took(t, began, 2*time.Second)
}

func exchangeTimeout(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", hang), m.instance(t, "b", hang))
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Exchange = 30*time.Second, 45*time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	w.get(t, "/").is(t, 504, "504 exchange timeout\n")
	took(t, began, 45*time.Second)
}

func connectTimeout(t *testing.T, start Start) {
	var m memory
	f := in("http://blackhole:80", m.instance(t, "good", gotBody))
	f.Instances[1].Priority = 1
	f.Policy.Timeouts.Connect = 3 * time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	a := w.post(t, "/", "data")
	a.is(t, 200, "got data")
	took(t, began, 3*time.Second)
	if rec := w.record(t, a); rec.Attempts[0].Kind != retry.Unreachable || rec.Attempts[0].Sent {
		t.Errorf("first attempt: %s, sent %v", rec.Attempts[0].Kind, rec.Attempts[0].Sent)
	}
}

// full is a gateway whose only place is taken for 50 s, which leave waits for.
func full(t *testing.T, start Start, queueTimeout time.Duration) (w *world, leave func()) {
	t.Helper()
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			sleep(50 * time.Second)
		}
		gotBody(w, r)
	}))
	f.Policy.MaxInFlight, f.Policy.QueueSize, f.Policy.QueueTimeout = 1, 1, queueTimeout
	f.Policy.Timeouts.Attempt = 59 * time.Second
	w = m.world(t, start, config(f))
	first := w.later(t, w.request(t, "GET", "/first", nil))
	sleep(time.Millisecond)
	return w, func() { (<-first).is(t, 200, "got ") }
}

// later sends a request from another goroutine.
func (w *world) later(t *testing.T, r *http.Request) <-chan answer {
	t.Helper()
	got := make(chan answer, 1)
	go func() {
		res, err := w.client.Do(r)
		if err != nil {
			t.Errorf("%s: %v", r.URL, err)
			got <- answer{Response: new(http.Response), err: err}
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		got <- answer{res, string(body), err}
	}()
	return got
}

func queueTimeout(t *testing.T, start Start) {
	w, leave := full(t, start, 4*time.Second)
	began := time.Now()
	second := w.later(t, w.request(t, "GET", "/", nil))
	sleep(time.Second)
	w.get(t, "/").is(t, 503, "503 queue full\n")
	took(t, began, time.Second)
	(<-second).is(t, 503, "503 queue timeout\n")
	took(t, began, 4*time.Second)
	leave()

	w, leave = full(t, start, 59*time.Second)
	began = time.Now()
	w.post(t, "/", "queued").is(t, 200, "got queued")
	took(t, began, 50*time.Second-time.Millisecond)
	leave()
}

func goneQueued(t *testing.T, start Start) {
	w, leave := full(t, start, 40*time.Second)
	defer leave()
	for _, body := range []io.Reader{nil, strings.NewReader("short"), io.MultiReader(strings.NewReader("chunked"))} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		res, err := w.client.Do(w.request(t, "POST", "/", body).WithContext(ctx))
		cancel()
		if err == nil {
			res.Body.Close()
			t.Fatal("answered")
		}
		sleep(time.Millisecond)
		if n, _ := w.Function("f").Waiting(time.Now()); n != 0 {
			t.Fatal("a client that left still waits")
		}
		if rec := w.gone(t); rec.N != 0 || rec.Took != 5*time.Second {
			t.Errorf("%d attempts, over after %v", rec.N, rec.Took)
		}
	}
}

func waitsForInstance(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", gotBody))
	f.HealthPath = "/health" // nobody checks, so it stays unknown
	f.Policy.WaitForInstance = 10 * time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	time.AfterFunc(3*time.Second, func() {
		b := w.Function("f").Balancer()
		b.SetHealth(b.Instances()[0], balancer.HealthUp, "test", time.Now())
	})
	w.post(t, "/", "data").is(t, 200, "got data")
	took(t, began, 3*time.Second)
	b := w.Function("f").Balancer()
	b.SetHealth(b.Instances()[0], balancer.HealthUnknown, "test", time.Now())
}

// failing answers n requests with 503 and these fields, then well.
func failing(n int, fields http.Header) (http.HandlerFunc, *[]time.Time) {
	var at []time.Time
	return func(w http.ResponseWriter, r *http.Request) {
		at = append(at, time.Now())
		if len(at) <= n {
			maps.Copy(w.Header(), fields)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		gotBody(w, r)
	}, &at
}

func backoff(t *testing.T, start Start) {
	var m memory
	h, at := failing(2, nil)
	f := in(m.instance(t, "a", h))
	f.Policy.Retry = retry.Policy{Attempts: 2, BaseDelay: 8 * time.Second, MaxDelay: 10 * time.Second, Statuses: []int{503}}
	w := m.world(t, start, config(f))
	a := w.do(t, w.request(t, "PUT", "/", strings.NewReader("data")))
	a.is(t, 200, "got data")
	rec := w.record(t, a)
	for n := range 2 {
		want := rec.Attempts[n].Decision.After
		if got := (*at)[n+1].Sub((*at)[n]); got != want || want <= 0 {
			t.Errorf("try %d came after %v, decided %v", n+2, got, want)
		}
	}
}

func retryAfter(t *testing.T, start Start) {
	var m memory
	h, at := failing(1, http.Header{"Retry-After": {"3"}})
	w := m.world(t, start, config(in(m.instance(t, "a", h))))
	w.get(t, "/").is(t, 200, "got ")
	if got := (*at)[1].Sub((*at)[0]); got < 3*time.Second || got > 3*time.Second+250*time.Millisecond {
		t.Errorf("came back after %v, asked for 3s", got)
	}
}

func longRetryAfter(t *testing.T, start Start) {
	var m memory
	h, _ := failing(9, http.Header{"Retry-After": {"30"}})
	w := m.world(t, start, config(in(m.instance(t, "a", h))))
	began := time.Now()
	a := w.get(t, "/")
	a.is(t, 503, "")
	took(t, began, 0)
	if a.Header.Get("Retry-After") != "30" {
		t.Errorf("%v", a.Header)
	}
}

func idleAnswer(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "some")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	f.Policy.Timeouts.Idle = 10 * time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	a := w.get(t, "/")
	if a.err == nil || a.body != "some" {
		t.Errorf("%q %v", a.body, a.err)
	}
	took(t, began, 10*time.Second)
	if rec := w.record(t, a); rec.Reason != exchange.ReasonTruncated {
		t.Errorf("reason %s", rec.Reason)
	}
}

// slowAnswer passes every other limit on its way, and comes close to each.
func slowAnswer(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, _ *http.Request) {
		sleep(5*time.Second - 1)
		for range 20 {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			sleep(10*time.Second - 1)
		}
	}))
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Exchange, f.Policy.Timeouts.Idle = 5*time.Second, 6*time.Second, 10*time.Second
	w := m.world(t, start, config(f))
	w.get(t, "/").is(t, 200, strings.Repeat("x", 20))
	w.blameless(t)
}

// drip gives a byte each step.
type drip struct {
	left int
	step time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if d.left--; d.left < 0 {
		return 0, io.EOF
	}
	sleep(d.step)
	p[0] = 'x'
	return 1, nil
}

func slowUpload(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		sleep(5*time.Second - 1)
		_, _ = fmt.Fprint(w, n)
	}))
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Exchange, f.Policy.Timeouts.Idle = 5*time.Second, 20*time.Second, 10*time.Second
	w := m.world(t, start, config(f))
	w.post(t, "/", "warm").is(t, 200, "4")
	w.do(t, w.request(t, "POST", "/", &drip{20, 9 * time.Second})).is(t, 200, "20")
	w.blameless(t)
}

func stalledUpload(t *testing.T, start Start) {
	var m memory
	broken := make(chan time.Time, 1)
	f := in(m.instance(t, "a", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		broken <- time.Now()
	}))
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Idle = 5*time.Second, 10*time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	res, err := w.client.Do(w.request(t, "POST", "/", &drip{2, 100 * time.Second}))
	if err == nil {
		res.Body.Close()
		t.Fatalf("answered %d", res.StatusCode)
	}
	if got := (<-broken).Sub(began); got != 10*time.Second {
		t.Errorf("cut after %v", got)
	}
	w.gone(t)
	w.blameless(t)
}

func untakenUpload(t *testing.T, start Start) {
	var m memory
	serveRaw(t, m.listen("a:80"), func(conn net.Conn, _ *http.Request) {
		one := make([]byte, 1)
		_, _ = conn.Read(one)
		sleep(100 * time.Second)
	})
	f := in("http://a:80")
	f.NoRetry = true
	f.Policy.Timeouts.Attempt = 5 * time.Second
	w := m.world(t, start, config(f))
	began := time.Now()
	a := w.do(t, w.request(t, "POST", "/", io.LimitReader(zeros{}, 10<<20)))
	a.is(t, 504, "504 attempt timeout\n")
	took(t, began, 5*time.Second)
	w.failures(t, "i0", 1)
}

func stalledReader(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.Copy(w, io.LimitReader(zeros{}, 10<<20))
	}))
	f.Policy.Timeouts.Idle = 10 * time.Second
	w := m.world(t, start, config(f))
	conn, err := m.dial(t.Context(), "", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	_, _ = io.CopyN(io.Discard, conn, 1<<20)
	sleep(10 * time.Second)
	rec := w.gone(t)
	if took := rec.Took; took != 10*time.Second {
		t.Errorf("cut after %v", took)
	}
	w.blameless(t)
}

func idleTunnel(t *testing.T, start Start) {
	var m memory
	serveRaw(t, m.listen("a:80"), func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched)
		_, _ = io.Copy(io.Discard, conn)
	})
	f := in("http://a:80")
	f.Policy.Timeouts.Idle = 10 * time.Second
	w := m.world(t, start, config(f))
	conn, err := m.dial(t.Context(), "", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
	head := make([]byte, 12)
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 101" {
		t.Fatalf("%q %v", head, err)
	}
	var reader sync.WaitGroup
	reader.Go(func() { _, _ = io.Copy(io.Discard, conn) })
	for range 20 {
		sleep(9 * time.Second)
		if _, err := io.WriteString(conn, "x"); err != nil {
			t.Fatalf("cut after %v: %v", time.Since(began), err)
		}
	}
	last := time.Now()
	reader.Wait()
	took(t, last, 10*time.Second)
	w.blameless(t)
}

// slowLocal: the answer does not wait for the client's upload, and the
// connection does not go on as if it had been read.
func slowLocal(t *testing.T, start Start) {
	var m memory
	f := in("http://nobody:80")
	f.NoRetry = true
	w := m.world(t, start, config(f))
	for _, head := range []string{"Content-Length: 9", "Content-Length: 900000", "Transfer-Encoding: chunked"} {
		conn, err := m.dial(t.Context(), "", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\n"+head+"\r\n\r\n")
		a := readAnswer(t, bufio.NewReader(conn), "POST")
		a.is(t, 502, "502 instance unreachable\n")
		if took := time.Since(began); took > time.Second || !a.Close {
			t.Errorf("%s: answered after %v, closing %v", head, took, a.Close)
		}
		_, _ = io.Copy(io.Discard, conn) // until the gateway ends it
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: the connection was held for %v", head, took)
		}
		_ = conn.Close()
	}
}

// slowCalls opens the breaker on the first call over a second.
func slowCalls(f *middleware.Function) {
	f.Breaker.Window = breaker.Window{
		Kind: breaker.WindowCount, Calls: 10, MinimumCalls: 1, FailureRatePercent: -1, SlowCallRatePercent: 50, SlowCallDuration: time.Second,
	}
}

// fast fails the test if anybody took more than limit for an answer of instance i0.
func (w *world) fast(t *testing.T, limit time.Duration) {
	t.Helper()
	fn := w.Function("f")
	i := fn.Balancer().Stats(time.Now()).Instances[0]
	latency := fn.Stats().Latency.Snapshot()
	if q := latency.Quantile(0.99); i.P99 > limit || i.EWMA > limit || q > limit {
		t.Errorf("latency %s, estimate %s, of the function %s; want at most %s", i.P99, i.EWMA, q, limit)
	}
	if s := fn.Breaker().State(); s != breaker.Closed {
		t.Errorf("the breaker is %s", s)
	}
}

func uploadIsNoLatency(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		sleep(100 * time.Millisecond)
		_, _ = fmt.Fprint(w, n)
	}))
	slowCalls(&f)
	w := m.world(t, start, config(f))
	a := w.do(t, w.request(t, "POST", "/", &drip{20, 9 * time.Second}))
	a.is(t, 200, "20")
	w.fast(t, 110*time.Millisecond)
	rec := w.record(t, a)
	if got := rec.Attempts[0]; got.Upload < 179*time.Second || got.Upload > 180*time.Second || got.Head != got.Upload+100*time.Millisecond || rec.Slow() {
		t.Errorf("the record says %s of %s, slow %v", got.Upload, got.Head, rec.Slow())
	}
	w.blameless(t)
}

func givesUpOnUpload(t *testing.T, start Start) {
	var m memory
	serveRaw(t, m.listen("a:80"), func(conn net.Conn, _ *http.Request) {
		_, _ = io.CopyN(io.Discard, conn, 1)
		sleep(8 * time.Second)
		_, _ = io.WriteString(conn, "HTTP/1.1 408 Slow\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	})
	f := in("http://a:80")
	slowCalls(&f)
	w := m.world(t, start, config(f))
	conn, err := m.dial(t.Context(), "", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nd")
	readAnswer(t, bufio.NewReader(conn), "POST").is(t, 408, "")
	w.recordOf(t, all)
	w.fast(t, 10*time.Millisecond)
}

// retryAfterUpload: uploading took longer than a whole exchange may.
func retryAfterUpload(t *testing.T, start Start) {
	var m memory
	h, _ := failing(1, nil)
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h(w, r)
	}), m.instance(t, "b", gotBody))
	f.Instances[1].Priority = 1
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Exchange, f.Policy.Timeouts.Idle = 5*time.Second, 20*time.Second, 10*time.Second
	w := m.world(t, start, config(f))
	a := w.do(t, w.request(t, "PUT", "/", &drip{5, 9 * time.Second}))
	a.is(t, 200, "got xxxxx")
	if rec := w.record(t, a); rec.N != 2 || rec.Attempts[0].Upload < 36*time.Second || rec.Attempts[1].Upload != 0 {
		t.Errorf("%d attempts that waited %s and %s for the client", rec.N, rec.Attempts[0].Upload, rec.Attempts[1].Upload)
	}
}

// slowUploadAfterWait: the engine may have begun to read the body before there
// was an instance to send it to.
func slowUploadAfterWait(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", gotBody))
	f.HealthPath = "/health" // nobody checks, so it stays unknown
	f.NoRetry = true
	f.Policy.WaitForInstance = 10 * time.Second
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Idle = 5*time.Second, 30*time.Second
	w := m.world(t, start, config(f))
	time.AfterFunc(3*time.Second, func() {
		b := w.Function("f").Balancer()
		b.SetHealth(b.Instances()[0], balancer.HealthUp, "test", time.Now())
	})
	a := w.do(t, w.request(t, "POST", "/", &drip{3, 20 * time.Second}))
	a.is(t, 200, "got xxx")
	w.blameless(t)
	if got := w.record(t, a).Attempts[0]; got.Start != 3*time.Second || got.Upload < 37*time.Second || got.Head != got.Upload {
		t.Errorf("the attempt began at %s and waited for the client for %s of %s", got.Start, got.Upload, got.Head)
	}
}

// stalledUnderAnswer: the instance has answered and waits for the rest, too.
func stalledUnderAnswer(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		_, _ = io.WriteString(w, "go on")
		_ = c.Flush()
		_, _ = io.Copy(w, r.Body)
	}))
	f.Policy.Timeouts.Idle = 10 * time.Second
	w := m.world(t, start, config(f))
	conn, err := m.dial(t.Context(), "", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nd")
	_, _ = io.Copy(io.Discard, conn) // until the gateway cuts it
	if rec := w.gone(t); rec.Took != 10*time.Second || rec.Status != http.StatusOK {
		t.Errorf("status %d, cut after %v", rec.Status, rec.Took)
	}
	w.blameless(t)
}

// waitsForSlowStart: an instance that failed comes back under slow start, and
// its status stays recovering when it passes its first check.
func waitsForSlowStart(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", gotBody))
	f.Policy.WaitForInstance, f.Policy.Managed = 10*time.Second, true
	f.Balancer.SlowStart.Window = time.Minute
	w := m.world(t, start, config(f))
	w.get(t, "/").is(t, 200, "got ")
	b := w.Function("f").Balancer()
	i := b.Instances()[0]
	b.SetLifecycle(i, balancer.Gone, "killed", time.Now())
	b.SetHealth(i, balancer.HealthUnknown, "a new process", time.Now())
	b.SetLifecycle(i, balancer.Starting, "started", time.Now())
	began := time.Now()
	const at = 3*time.Second + 10*time.Millisecond // between two looks of those who wait
	time.AfterFunc(time.Second, func() { b.SetLifecycle(i, balancer.Running, "listens", time.Now()) })
	time.AfterFunc(at, func() { b.SetHealth(i, balancer.HealthUp, "fine", time.Now()) })
	w.post(t, "/", "data").is(t, 200, "got data")
	took(t, began, at)
	if s := i.Status(); s != balancer.Recovering {
		t.Errorf("the instance is %s, want recovering", s)
	}
}

// stalledInform: the client reads nothing, so that a 1xx answer cannot pass.
func stalledInform(t *testing.T, start Start) {
	var m memory
	f := in(m.instance(t, "a", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		<-r.Context().Done()
	}))
	f.Policy.Timeouts.Attempt, f.Policy.Timeouts.Idle = 5*time.Second, 10*time.Second
	w := m.world(t, start, config(f))
	conn, err := m.dial(t.Context(), "", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	sleep(10 * time.Second)
	if rec := w.gone(t); rec.Took != 10*time.Second {
		t.Errorf("cut after %v", rec.Took)
	}
	w.blameless(t)
}
