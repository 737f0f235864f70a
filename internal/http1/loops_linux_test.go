package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/http1"
	"holdfast/retry"
	"holdfast/test/port"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// rig is poll loops in front of instances.
type rig struct {
	t       testing.TB
	addr    string
	machine *exchange.Machine
	fn      *exchange.Function
	given   chan net.Conn // handed over
	loops   *http1.Loops
	stop    context.CancelFunc
	ended   chan struct{}
}

type setup struct {
	policy exchange.Policy
	loops  http1.LoopsConfig
	count  int // of loops; 0: 1
}

// newRig starts loops in front of instances at these addresses.
func newRig(tb testing.TB, s setup, instances ...string) *rig {
	tb.Helper()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "f", Policy: s.policy, Secret: []byte("0123456789abcdef")})
	if err != nil {
		tb.Fatal(err)
	}
	var list []*balancer.Instance
	for _, addr := range instances {
		list = append(list, balancer.NewInstance(balancer.Spec{ID: addr, Endpoint: "http://" + addr}))
	}
	fn.SetInstances(list, time.Now())
	for _, i := range list {
		fn.Balancer().SetHealth(i, balancer.HealthUp, "not checked", time.Now())
	}
	router, err := exchange.NewRouter([]exchange.Route{{Path: "/", Function: fn}})
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{t: tb, machine: exchange.NewMachine(exchange.MachineConfig{}), fn: fn, given: make(chan net.Conn, 10), ended: make(chan struct{})}
	r.machine.SetRouter(router)
	r.run(s)
	return r
}

func (r *rig) run(s setup) {
	r.t.Helper()
	s.loops.Machine, s.loops.HandOver = r.machine, func(c net.Conn) { r.given <- c }
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	r.loops = http1.NewLoops(s.loops)
	go func() {
		defer close(r.ended)
		if err := r.loops.Run(ctx, ln, s.count); err != nil {
			r.t.Error(err)
		}
	}()
	r.t.Cleanup(func() {
		stop()
		<-r.ended
		for len(r.given) > 0 {
			(<-r.given).Close()
		}
	})
}

// end ends the loops, and with them what they keep open, before the instances
// do that were started later.
func (r *rig) end() {
	r.stop()
	<-r.ended
}

// client is a connection to the loops.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (r *rig) dial() *client {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &client{r.t, conn, bufio.NewReader(conn)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads an answer to a request of the method with its body.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(body)
}

// get asks for a path and wants an answer with this status and body.
func (c *client) get(path string, status int, body string) {
	c.t.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, got := c.answer("GET"); res.StatusCode != status || got != body {
		c.t.Fatalf("%s: %d %q, want %d %q", path, res.StatusCode, got, status, body)
	}
}

// closed wants the connection to end without another byte.
func (c *client) closed() {
	c.t.Helper()
	if b, err := io.ReadAll(c.r); len(b) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("%q, %v", b, err)
	}
}

// instance plays an instance: each connection is a call of serve.
func instance(tb testing.TB, serve func(c net.Conn, r *bufio.Reader)) string {
	tb.Helper()
	return serveOn(tb, "127.0.0.1:0", serve)
}

// serveOn is instance on an address.
func serveOn(tb testing.TB, addr string, serve func(c net.Conn, r *bufio.Reader)) string {
	tb.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	serveListener(tb, ln, serve)
	return ln.Addr().String()
}

// serveListener is instance on a listener, which it closes.
func serveListener(tb testing.TB, ln net.Listener, serve func(c net.Conn, r *bufio.Reader)) {
	tb.Helper()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(3 * patience))
			all.Go(func() {
				defer c.Close()
				serve(c, bufio.NewReader(c))
			})
		}
	})
	tb.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
}

// request reads a request, its head as text; false: the connection ended.
func request(r *bufio.Reader) (head, body string, ok bool) {
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", "", false
		}
		b.WriteString(line)
	}
	head = b.String()
	q, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head), r)))
	if err != nil {
		return "", "", false
	}
	got, err := io.ReadAll(q.Body)
	return head, string(got), err == nil
}

// says is an instance that answers all requests alike and stays.
func says(answer string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			if _, _, ok := request(r); !ok {
				return
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func TestTheInstanceGetsOneMeaningAndItsConnectionStays(t *testing.T) {
	t.Parallel()
	heads, conns := make(chan string, 2), atomic.Int32{}
	r := newRig(t, setup{}, instance(t, func(c net.Conn, b *bufio.Reader) {
		conns.Add(1)
		for {
			head, _, ok := request(b)
			if !ok {
				return
			}
			heads <- head
			_, _ = io.WriteString(c, hello)
		}
	}))
	c := r.dial()
	c.get("/a?b", 200, "hello")
	c.send("GET http://B:1/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: A\r\nA: b\r\n\r\n")
	res, _ := c.answer("GET")
	id := res.Header.Get("X-Request-Id")
	<-heads
	head := <-heads
	via := head[strings.Index(head, "Via: "):]
	want := "GET /x HTTP/1.1\r\nHost: B:1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\nX-Forwarded-Host: B:1\r\n" +
		"X-Forwarded-Proto: http\r\nX-Request-Id: " + id + "\r\n" + via
	if head != want || conns.Load() != 1 {
		t.Errorf("%d connections, %q, want\n%q", conns.Load(), head, want)
	}
	if rec := r.record(id); rec.Host.String() != "b" || rec.Path.String() != "/x" || rec.N != 1 {
		t.Errorf("host %q, path %q, %d attempts", rec.Host.String(), rec.Path.String(), rec.N)
	}
}

// record waits for the record of an exchange: it is kept once the answer is sent.
func (r *rig) record(id string) (rec exchange.Record) {
	r.t.Helper()
	await(r.t, "record of "+id, func() (ok bool) {
		rec, ok = r.machine.Records().Find(id)
		return ok
	})
	return rec
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	c := r.dial()
	c.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, want := range []string{"/1 ", "/2 abc"} {
		if _, body := c.answer("GET"); body != want {
			t.Fatalf("%q, want %q", body, want)
		}
	}
	if res, _ := c.answer("GET"); res.StatusCode != http.StatusBadRequest || !res.Close {
		t.Errorf("%d, close %v", res.StatusCode, res.Close)
	}
	c.closed()
}

// echo answers with the path and the body, in chunks when the path asks for it.
func echo(c net.Conn, b *bufio.Reader) {
	for {
		head, body, ok := request(b)
		if !ok {
			return
		}
		path := strings.Fields(head)[1]
		text := path + " " + body
		var err error
		if strings.Contains(path, "chunked") {
			_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x;e\r\n%s\r\n0\r\nT: u\r\n\r\n", len(text), text)
		} else {
			_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
		if err != nil || strings.Contains(path, "leave") {
			return
		}
	}
}

func TestARequestMayComeInPieces(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	c := r.dial()
	for _, b := range []byte("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody") {
		c.send(string(b))
	}
	if _, body := c.answer("POST"); body != "/p body" {
		t.Errorf("%q", body)
	}
}

func TestAnswersPassInWhateverTheyCome(t *testing.T) {
	t.Parallel()
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\nHost: no\r\n\r\n"
	const added = "X-Request-Id: ID\r\nDate: DATE\r\n"
	for _, c := range []struct{ name, request, answer, want string }{
		{"a length", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", hello, "HTTP/1.1 200 OK\r\n" + added + "Content-Length: 5\r\n\r\nhello"},
		{"17: chunks without extensions", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", chunked, "HTTP/1.1 200 OK\r\n" + added + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"},
		{"18: trailers for who takes them", "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", chunked, "HTTP/1.1 200 OK\r\n" + added + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nT: u\r\n\r\n"},
		{"chunks for HTTP/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", chunked, "HTTP/1.1 200 OK\r\n" + added + "Connection: close\r\n\r\nabcde"},
		{"a length for HTTP/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", hello, "HTTP/1.1 200 OK\r\n" + added + "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"},
		{"20: HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\n" + added + "Content-Length: 5\r\n\r\n"},
		{"20: 204", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n" + added + "\r\n"},
		{"20: 304", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n" + added + "Content-Length: 9\r\n\r\n"},
		{"24: 103 and 100", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n" + hello, "HTTP/1.1 103 Early Hints\r\nLink: l\r\nX-Request-Id: ID\r\n\r\nHTTP/1.1 200 OK\r\n" + added + "Content-Length: 5\r\n\r\nhello"},
		{"24: 103 for HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n" + hello, "HTTP/1.1 200 OK\r\n" + added + "Content-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"30: close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", hello, "HTTP/1.1 200 OK\r\n" + added + "Content-Length: 5\r\nConnection: close\r\n\r\nhello"},
	} {
		for _, piece := range []int{1, 1 << 20} {
			t.Run(fmt.Sprintf("%s/in pieces of %d", c.name, piece), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, setup{}, instance(t, func(conn net.Conn, b *bufio.Reader) {
					for {
						if _, _, ok := request(b); !ok {
							return
						}
						for rest := c.answer; rest != ""; rest = rest[min(piece, len(rest)):] {
							_, _ = io.WriteString(conn, rest[:min(piece, len(rest))])
						}
					}
				}))
				client := r.dial()
				client.send(c.request)
				got := client.all(c.want)
				if got != c.want {
					t.Errorf("%q, want\n%q", got, c.want)
				}
			})
		}
	}
}

// all reads an answer, and those before it, with ids and dates made alike and
// chunks put together.
func (c *client) all(want string) string {
	c.t.Helper()
	var got string
	chunked := false
	for !chunked && len(got) < len(want) {
		line, err := c.r.ReadString('\n')
		switch {
		case strings.HasPrefix(line, "X-Request-Id: "):
			line = "X-Request-Id: ID\r\n"
		case strings.HasPrefix(line, "Date: "):
			line = "Date: DATE\r\n"
		case line == "\r\n":
			chunked = strings.HasSuffix(got, "Transfer-Encoding: chunked\r\n")
		}
		if got += line; err != nil {
			return got
		}
		if line == "\r\n" && !chunked && !strings.Contains(want[len(got):], "\r\n") {
			rest := make([]byte, len(want)-len(got))
			n, _ := io.ReadFull(c.r, rest)
			got += string(rest[:n])
		}
	}
	if chunked {
		got += c.chunks()
	}
	return got
}

// chunks reads a chunked body and returns it as one chunk.
func (c *client) chunks() string {
	c.t.Helper()
	var r http1.ChunkReader
	var data []byte
	for !r.Done() {
		b, err := c.r.ReadByte()
		if err != nil {
			c.t.Fatal(err)
		}
		d, _, err := r.Decode([]byte{b})
		if err != nil {
			c.t.Fatal(err)
		}
		data = append(data, d...)
	}
	out := append(append(http1.AppendChunkHead(nil, len(data)), data...), "\r\n"...)
	return string(http1.AppendLastChunk(out, &r))
}

func TestABodyWithoutLengthBecomesChunks(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, func(c net.Conn, b *bufio.Reader) {
		if _, _, ok := request(b); ok {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nto the end")
		}
	}))
	c := r.dial()
	for range 2 { // the client's connection stays
		c.get("/", 200, "to the end")
	}
}

func TestALargeAnswerWaitsForASlowClient(t *testing.T) {
	t.Parallel()
	const size = 32 << 20
	sent := atomic.Int64{}
	r := newRig(t, setup{}, instance(t, func(c net.Conn, b *bufio.Reader) {
		if _, _, ok := request(b); !ok {
			return
		}
		_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		block := []byte(strings.Repeat("0123456789abcdef", 4096))
		for n := 0; n < size; n += len(block) {
			if _, err := c.Write(block); err != nil {
				return
			}
			sent.Add(int64(len(block)))
		}
	}))
	c := r.dial()
	_ = c.SetDeadline(time.Now().Add(6 * patience)) // with the race detector, beside others
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	still, last := 0, int64(0)
	await(t, "full pipe", func() bool { // nothing moved at 50 looks in a row
		if n := sent.Load(); n == 0 || n != last {
			still, last = 0, n
		}
		still++
		return still > 50
	})
	if n := sent.Load(); n >= size {
		t.Errorf("%d bytes went on their way although nobody read", n)
	}
	if _, body := c.answer("GET"); body != strings.Repeat("0123456789abcdef", size/16) {
		t.Errorf("%d bytes came, not those that were sent", len(body))
	}
}

func await(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("no %s", what)
		}
	}
}

func TestAnAnswerThatBreaksOffIsSeenToBreakOff(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"21: a short body":        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"21: no last chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"16: a chunk that is bad": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
	} {
		for _, version := range []string{"1.1\r\nHost: a", "1.0"} {
			t.Run(name+"/"+version[:3], func(t *testing.T) {
				t.Parallel()
				r := newRig(t, setup{}, instance(t, func(c net.Conn, b *bufio.Reader) {
					if _, _, ok := request(b); ok {
						_, _ = io.WriteString(c, answer)
					}
				}))
				c := r.dial()
				c.send("GET / HTTP/" + version + "\r\n\r\n")
				res, err := http.ReadResponse(c.r, &http.Request{Method: http.MethodGet})
				if err == nil {
					_, err = io.ReadAll(res.Body)
				}
				if err == nil {
					t.Error("the client takes it for whole")
				}
				await(t, "record of it", func() bool {
					last := r.machine.Records().Last(1, nil)
					return len(last) == 1 && last[0].Reason == exchange.ReasonTruncated
				})
			})
		}
	}
}

func TestWhatAnInstanceSaysUnaskedReachesNobody(t *testing.T) {
	t.Parallel()
	const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("22: late=%v", late), func(t *testing.T) {
			t.Parallel()
			conns, answered, dropped := atomic.Int32{}, make(chan struct{}), make(chan struct{})
			r := newRig(t, setup{}, instance(t, func(c net.Conn, b *bufio.Reader) {
				if conns.Add(1) > 1 {
					echo(c, b)
					return
				}
				_, _, _ = request(b)
				if late {
					_, _ = io.WriteString(c, hello)
					<-answered
					_, _ = io.WriteString(c, poison)
				} else {
					_, _ = io.WriteString(c, hello+poison)
				}
				_, _ = io.Copy(io.Discard, b)
				close(dropped)
			}))
			r.dial().get("/first", 200, "hello")
			close(answered)
			<-dropped
			r.dial().get("/second", 200, "/second ")
		})
	}
}

func TestAClientThatLeavesCancelsItsAttempt(t *testing.T) {
	t.Parallel()
	asked, left := make(chan struct{}), make(chan struct{})
	r := newRig(t, setup{}, instance(t, func(_ net.Conn, b *bufio.Reader) {
		if _, _, ok := request(b); ok {
			close(asked)
			_, _ = io.Copy(io.Discard, b)
			close(left)
		}
	}))
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	c.Close()
	<-left
	await(t, "record", func() bool { return len(r.machine.Records().Last(1, nil)) == 1 })
	if rec := r.machine.Records().Last(1, nil)[0]; rec.Reason != exchange.ReasonClientGone || rec.Attempts[0].Kind != retry.Canceled {
		t.Errorf("%v, attempt %v", rec.Reason, rec.Attempts[0].Kind)
	}
}

func TestADeadInstanceIsLeftForAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{policy: exchange.Policy{Retry: retry.DefaultPolicy()}}, port.Refusing(t), instance(t, echo))
	c := r.dial()
	for i := range 20 {
		path := fmt.Sprintf("/%d", i)
		c.get(path, 200, path+" ")
	}
}

func TestAnIdleConnectionThatWasClosedCostsNobodyAnything(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo)) // without retries
	c := r.dial()
	for range 50 {
		c.get("/leave", 200, "/leave ")
	}
}

func TestWhoIsSilentForTooLongIsCutOff(t *testing.T) {
	t.Parallel()
	const limit = 80 * time.Millisecond
	silent := instance(t, func(_ net.Conn, b *bufio.Reader) { _, _ = io.Copy(io.Discard, b) })
	t.Run("an instance before its head", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, setup{policy: exchange.Policy{Timeouts: exchange.Timeouts{Attempt: limit}}}, silent)
		r.dial().get("/", 504, "504 attempt timeout\n")
	})
	t.Run("an instance in its body", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, setup{policy: exchange.Policy{Timeouts: exchange.Timeouts{Idle: limit}}}, instance(t, says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")))
		c := r.dial()
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%q is taken for whole", b)
		}
	})
	for name, text := range map[string]string{
		"32: a slow head": "GET / HTTP/1.1\r\nHost: a\r\nX-A: ", "32: nothing at all": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{loops: http1.LoopsConfig{HeaderTimeout: limit}}, silent)
			c := r.dial()
			c.send(text)
			c.closed()
		})
	}
	t.Run("a client between requests", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, setup{loops: http1.LoopsConfig{IdleTimeout: limit}}, instance(t, echo))
		c := r.dial()
		c.get("/", 200, "/ ")
		c.closed()
	})
}

func TestWhatHasNoMeaningIsRefusedAndTheConnectionEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	for _, c := range headRules() {
		if c.fault == nil || len(c.in) > 8000 || errors.Is(c.fault, http1.ErrHeadLength) {
			continue
		}
		t.Run(fmt.Sprintf("%d/%s", c.number, c.name), func(t *testing.T) {
			t.Parallel()
			client := r.dial()
			client.t = t
			client.send(c.in + "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
			status := 400
			if e, ok := errors.AsType[http1.SyntaxError](c.fault); ok {
				status = e.Status()
			}
			if res, _ := client.answer("GET"); res.StatusCode != status || !res.Close {
				t.Errorf("%d, close %v; want %d", res.StatusCode, res.Close, status)
			}
			client.closed()
		})
	}
}

func TestWhatTheLoopsDoNotCarryIsHandedOverWhole(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an upgrade":      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst frame",
		"chunks":          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"an expectation":  "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		"a large body":    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000),
		"a large head":    "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("x", 20000) + "\r\n\r\n",
		"about the proxy": "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		for _, second := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/second=%v", name, second), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, setup{}, instance(t, echo))
				c := r.dial()
				if second {
					c.get("/", 200, "/ ")
				}
				c.send(text)
				conn := <-r.given
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				got := make([]byte, len(text))
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
					t.Fatalf("%q %v", got, err)
				}
				_, _ = io.WriteString(conn, hello)
				if _, body := c.answer("GET"); body != "hello" {
					t.Errorf("%q", body)
				}
			})
		}
	}
}

func TestWaitingEndsWhenAPlaceIsFreeOnWhateverLoop(t *testing.T) {
	t.Parallel()
	go1 := make(chan struct{})
	r := newRig(t, setup{
		count:  2,
		policy: exchange.Policy{MaxInFlight: 1, QueueSize: 100, QueueTimeout: patience},
	}, instance(t, func(c net.Conn, b *bufio.Reader) {
		for {
			head, _, ok := request(b)
			if !ok {
				return
			}
			if strings.HasPrefix(head, "GET /hold ") {
				<-go1
			}
			_, _ = io.WriteString(c, hello)
		}
	}))
	first, gone := r.dial(), r.dial()
	first.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, "first exchange", func() bool { return r.fn.InFlight() == 1 })
	gone.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
	var others []*client
	for range 16 {
		c := r.dial()
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		others = append(others, c)
	}
	await(t, "queue", func() bool { n, _ := r.fn.Waiting(time.Now()); return n == 17 })
	gone.Close()
	await(t, "shorter queue", func() bool { n, _ := r.fn.Waiting(time.Now()); return n == 16 })
	close(go1)
	for _, c := range append(others, first) {
		if _, body := c.answer("GET"); body != "hello" {
			t.Errorf("%q", body)
		}
	}
}

func TestTheLastExchangesFinishBeforeTheLoopsEnd(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	r := newRig(t, setup{loops: http1.LoopsConfig{Shutdown: patience}}, instance(t, func(c net.Conn, b *bufio.Reader) {
		if _, _, ok := request(b); ok {
			close(asked)
			<-release
			_, _ = io.WriteString(c, hello)
		}
	}))
	idle, busy := r.dial(), r.dial()
	busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	r.stop()
	idle.closed()
	close(release)
	if res, body := busy.answer("GET"); body != "hello" || !res.Close {
		t.Errorf("%q, close %v", body, res.Close)
	}
	busy.closed()
	busy.Close()
	<-r.ended
}

func TestWhatIsUnderWayIsCutWhenTheLastTimeIsOver(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	r := newRig(t, setup{loops: http1.LoopsConfig{Shutdown: 50 * time.Millisecond}}, instance(t, func(_ net.Conn, b *bufio.Reader) {
		if _, _, ok := request(b); ok {
			close(asked)
			_, _ = io.Copy(io.Discard, b)
		}
	}))
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-asked
	r.stop()
	c.closed()
	<-r.ended
}

func TestMoreConnectionsThanAllowedWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{loops: http1.LoopsConfig{Connections: 1}}, instance(t, echo))
	first, second := r.dial(), r.dial()
	first.get("/1", 200, "/1 ")
	second.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
	first.get("/3", 200, "/3 ")
	first.Close()
	if _, body := second.answer("GET"); body != "/2 " {
		t.Errorf("%q", body)
	}
}

func TestNoAnswerReachesTheWrongClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{count: 2, policy: exchange.Policy{Retry: retry.DefaultPolicy()}}, instance(t, echo), instance(t, echo), instance(t, echo))
	var all sync.WaitGroup
	for i := range 24 {
		c := r.dial()
		all.Go(func() {
			for k := range 60 {
				path := fmt.Sprintf("/%d/%d/%s", i, k, []string{"plain", "chunked", "leave", "chunked/leave"}[(i+k)%4])
				c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
				res, err := http.ReadResponse(c.r, nil)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				if body, err := io.ReadAll(res.Body); string(body) != path+" " || err != nil {
					t.Errorf("%s: %q %v", path, body, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestConnectionsAreDividedEqually(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{count: 3, loops: http1.LoopsConfig{Connections: 4}}, instance(t, echo))
	for i := range 12 { // one more on any loop, and it would be paused
		r.dial().get(fmt.Sprint("/", i), 200, fmt.Sprint("/", i, " "))
	}
}

func TestAPanicCostsOneConnection(t *testing.T) {
	t.Parallel()
	var told atomic.Int32
	var fatal atomic.Bool
	r := newRig(t, setup{loops: http1.LoopsConfig{
		Panicked: func(cause any, stack []byte) {
			if told.Add(1); cause != "boom" || !strings.Contains(string(stack), "TestAPanicCostsOneConnection") {
				t.Errorf("%v\n%s", cause, stack)
			}
		},
		Takes: func(_, _, path string, _ exchange.Header) bool {
			if path == "/head" {
				panic("boom")
			}
			return true
		},
		Options: func(*exchange.Function) http1.Options { // is asked within the exchange
			if fatal.Load() {
				panic("boom")
			}
			return http1.DefaultOptions()
		},
	}}, instance(t, echo))
	other := r.dial()
	other.get("/1", 200, "/1 ")
	for _, path := range []string{"/head", "/exchange"} {
		fatal.Store(path == "/exchange")
		c := r.dial()
		c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		c.closed()
		fatal.Store(false)
		other.get("/2", 200, "/2 ")
	}
	if n := told.Load(); n != 2 {
		t.Errorf("told of %d panics, want 2", n)
	}
	await(t, "end of all exchanges", func() bool { return r.fn.InFlight() == 0 })
}

// Each request of the flood is answered at once and there is always another, or
// the bytes nobody wants never end.
func TestAClientThatNeverPausesLeavesTheOthersTheirTurn(t *testing.T) {
	t.Parallel()
	for name, flood := range map[string]string{
		"requests": strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 me\r\n\r\n", 2000),
		"garbage":  "garbage\r\n\r\n" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{loops: http1.LoopsConfig{Via: "me"}}, instance(t, echo))
			var floods sync.WaitGroup
			defer floods.Wait()
			greedy := r.dial()
			defer greedy.Close()
			begun := make(chan struct{})
			floods.Go(func() { _, _ = io.Copy(io.Discard, greedy.Conn) })
			floods.Go(func() {
				for n := 0; ; n++ {
					if _, err := io.WriteString(greedy, flood); err != nil {
						if n < 10 {
							close(begun)
						}
						return
					}
					if n == 10 {
						close(begun)
					}
				}
			})
			<-begun
			for range 20 {
				start := time.Now()
				r.dial().get("/x", 200, "/x ")
				if took := time.Since(start); took > 2*time.Second {
					t.Fatalf("another client waited for %v", took)
				}
			}
		})
	}
}
