package http1_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/exchange"
	"holdfast/internal/http1"
	"holdfast/retry"
	"holdfast/test/need"
)

// identity is a certificate for 127.0.0.1, made once.
var identity = sync.OnceValues(func() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
})

func serverTLS(t *testing.T) *tls.Config {
	t.Helper()
	cert, err := identity()
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
}

func clientTLS(t *testing.T) *tls.Config {
	t.Helper()
	leaf, err := x509.ParseCertificate(serverTLS(t).Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

func secured(t *testing.T, s setup) setup {
	t.Helper()
	s.loops.TLS = serverTLS(t)
	return s
}

// secure dials with TLS; the handshake is done.
func (r *rig) secure(c *tls.Config) (*client, *tls.Conn) {
	r.t.Helper()
	raw := r.dial()
	conn := tls.Client(raw.Conn, c)
	if err := conn.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return &client{r.t, conn, bufio.NewReader(conn)}, conn
}

func versions(t *testing.T, run func(t *testing.T, c *tls.Config)) {
	t.Helper()
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			t.Parallel()
			c := clientTLS(t)
			c.MinVersion, c.MaxVersion = v, v
			run(t, c)
		})
	}
}

func TestTLSConnectionsStayAndTheInstanceKnows(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		heads := make(chan string, 1)
		trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		r := newRig(t, secured(t, setup{loops: http1.LoopsConfig{TrustedProxies: trusted}}), instance(t, func(c net.Conn, b *bufio.Reader) {
			for {
				head, _, ok := request(b)
				if !ok {
					return
				}
				heads <- head
				_, _ = io.WriteString(c, hello)
			}
		}))
		c, _ := r.secure(config)
		for range 5 {
			c.send("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1.1.1.1\r\n\r\n")
			if _, body := c.answer("GET"); body != "hello" {
				t.Fatal(body)
			}
			if head := <-heads; !strings.Contains(head, "X-Forwarded-Proto: https\r\n") || !strings.Contains(head, `, for=127.0.0.1;host="a";proto=https`) {
				t.Errorf("%q", head)
			}
		}
	})
}

func TestPiecesAndPipelinesOfTLSRecordsMeanTheSame(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		r := newRig(t, secured(t, setup{}), instance(t, echo))
		c, conn := r.secure(config)
		for _, b := range []byte("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody") {
			c.send(string(b)) // a record each
		}
		if _, body := c.answer("POST"); body != "/p body" {
			t.Errorf("%q", body)
		}
		var all strings.Builder // many requests in one record, and of one request many records
		for i := range 500 {
			fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", i)
		}
		go func() { _, _ = io.WriteString(conn, all.String()) }()
		for i := range 500 {
			if _, body := c.answer("POST"); body != fmt.Sprintf("/%d abc", i) {
				t.Fatalf("%d: %q", i, body)
			}
		}
	})
}

// pieces writes to the wire in pieces of any size, so that records come torn.
type pieces struct {
	net.Conn
	size int
}

func (p pieces) Write(b []byte) (int, error) {
	for n := 0; n < len(b); n += p.size {
		if _, err := p.Conn.Write(b[n:min(n+p.size, len(b))]); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

func TestRecordsMayComeTorn(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 4, 5, 6, 700} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, secured(t, setup{}), instance(t, echo))
			raw := r.dial()
			conn := tls.Client(pieces{raw.Conn, size}, clientTLS(t))
			c := &client{t, conn, bufio.NewReader(conn)}
			body := strings.Repeat("x", min(20*size, 9000)) // slower ones are handed over
			for range 3 {
				c.send(fmt.Sprintf("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
				if _, got := c.answer("POST"); got != "/p "+body {
					t.Fatalf("%d bytes", len(got))
				}
			}
		})
	}
}

func TestALargeTLSAnswerWaitsForASlowClient(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	sent := atomic.Int64{}
	r := newRig(t, secured(t, setup{}), instance(t, func(c net.Conn, b *bufio.Reader) {
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
	c, conn := r.secure(clientTLS(t))
	_ = conn.SetDeadline(time.Now().Add(6 * patience))
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	still, last := 0, int64(0)
	await(t, "full pipe", func() bool {
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

func TestATLSClientThatLeavesCancelsItsAttempt(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(c *tls.Conn){
		"closes": func(c *tls.Conn) { c.Close() },
		"resets": func(c *tls.Conn) { c.NetConn().Close() },
		"half":   func(c *tls.Conn) { _ = c.NetConn().(*net.TCPConn).CloseWrite() }, //nolint:forcetypeassert // it was dialed
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked, left := make(chan struct{}), make(chan struct{})
			r := newRig(t, secured(t, setup{}), instance(t, func(_ net.Conn, b *bufio.Reader) {
				if _, _, ok := request(b); ok {
					close(asked)
					_, _ = io.Copy(io.Discard, b)
					close(left)
				}
			}))
			c, conn := r.secure(clientTLS(t))
			c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			<-asked
			leave(conn)
			<-left
			await(t, "record", func() bool { return len(r.machine.Records().Last(1, nil)) == 1 })
			if rec := r.machine.Records().Last(1, nil)[0]; rec.Reason != exchange.ReasonClientGone || rec.Attempts[0].Kind != retry.Canceled {
				t.Errorf("%v, attempt %v", rec.Reason, rec.Attempts[0].Kind)
			}
		})
	}
}

// The end of a connection is said in TLS too, or a client could not tell it from
// an answer that was cut.
func TestTheEndOfATLSConnectionIsSaid(t *testing.T) {
	t.Parallel()
	get := func(fields string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		for name, c := range map[string]struct {
			request, answer string
			said            bool
		}{
			"after the last answer":   {get("Connection: close\r\n"), hello, true},
			"idle for too long":       {get(""), hello, true},
			"refused":                 {"GET\r\n\r\n", hello, true},
			"an answer breaks off":    {get(""), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", false},
			"one without a length":    {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello", true},
			"chunks that break off":   {get(""), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", false},
			"after a hundred records": {get("Connection: close\r\n"), "HTTP/1.1 200 OK\r\nContent-Length: 1600000\r\n\r\n" + strings.Repeat("x", 1600000), true},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, secured(t, setup{loops: http1.LoopsConfig{IdleTimeout: 50 * time.Millisecond}}), instance(t, func(conn net.Conn, b *bufio.Reader) {
					if _, _, ok := request(b); ok {
						_, _ = io.WriteString(conn, c.answer)
					}
				}))
				tap := &tapped{Conn: r.dial().Conn}
				conn := tls.Client(tap, config)
				if _, err := io.WriteString(conn, c.request); err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, conn)
				if tap.alert(config.MaxVersion) != c.said {
					t.Errorf("said %v", !c.said)
				}
			})
		}
	})
}

// tapped keeps what is read.
type tapped struct {
	net.Conn
	got bytes.Buffer
}

func (p *tapped) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.got.Write(b[:n])
	return n, err
}

// alert says whether the last record is one, by its type or, where that is
// hidden, by its length.
func (p *tapped) alert(version uint16) (is bool) {
	for b := p.got.Bytes(); len(b) >= 5; {
		n := int(b[3])<<8 | int(b[4])
		is = b[0] == 21 || version == tls.VersionTLS13 && b[0] == 23 && n == 2+1+16
		b = b[min(5+n, len(b)):]
	}
	return is
}

func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		r := newRig(t, secured(t, setup{count: 2}), instance(t, echo))
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		for i := range 3 {
			c, conn := r.secure(config)
			c.get("/", 200, "/ ")
			if conn.ConnectionState().DidResume != (i > 0) {
				t.Errorf("connection %d: resumed %v", i, i == 0)
			}
			conn.Close()
		}
	})
}

func TestHTTP2IsHandedOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, secured(t, setup{}), instance(t, echo))
	config := clientTLS(t)
	config.NextProtos = []string{"h2"}
	c, _ := r.secure(config)
	conn := <-r.given
	defer conn.Close()
	there, ok := conn.(*tls.Conn)
	if !ok || there.ConnectionState().NegotiatedProtocol != "h2" {
		t.Fatalf("%T", conn)
	}
	talk(t, there, c)
}

// talk passes a word both ways, each with a deadline.
func talk(t *testing.T, there net.Conn, c *client) {
	t.Helper()
	_ = there.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := there.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	_ = there.SetDeadline(time.Now().Add(patience))
	for _, way := range []struct {
		from io.Writer
		to   io.Reader
	}{{c, there}, {there, c.r}} {
		word := bytes.Repeat([]byte("word"), 10_000)
		go func() { _, _ = way.from.Write(word) }()
		got := make([]byte, len(word))
		if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, word) {
			t.Errorf("%v", err)
		}
	}
	if there.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("%s, not %s", there.RemoteAddr(), c.LocalAddr())
	}
}

func TestWhatTheLoopsDoNotCarryIsHandedOverDecrypted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an upgrade":   "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst frame",
		"chunks":       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"a large body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000),
		"a large head": "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("x", 20000) + "\r\n\r\n",
		"slow":         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions(t, func(t *testing.T, config *tls.Config) {
				t.Helper()
				r := newRig(t, secured(t, setup{}), instance(t, echo))
				c, _ := r.secure(config)
				c.get("/", 200, "/ ")
				go func() { _, _ = io.WriteString(c, text) }()
				conn := <-r.given
				defer conn.Close()
				state, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
				if !ok || !state.ConnectionState().HandshakeComplete {
					t.Fatalf("a %T does not know its TLS", conn)
				}
				_ = conn.SetDeadline(time.Now().Add(patience))
				got := make([]byte, len(text))
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
					t.Fatalf("%q %v", got, err)
				}
				talk(t, conn, c)
			})
		})
	}
}

const halfHello = "\x16\x03\x01\x02\x00\x01"

func TestHandshakesAreBoundedInTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, secured(t, setup{loops: http1.LoopsConfig{HeaderTimeout: 100 * time.Millisecond}}), instance(t, echo))
	for _, text := range []string{"", halfHello} {
		c := r.dial()
		c.send(text)
		c.closed()
	}
}

func TestHandshakesAreBoundedInNumber(t *testing.T) { //nolint:paralleltest // it counts goroutines
	r := newRig(t, secured(t, setup{loops: http1.LoopsConfig{Handshakes: 1}}), instance(t, echo))
	silent := r.dial()
	r.dial() // says nothing: in nobody's way
	silent.send(halfHello)
	await(t, "handshake", func() bool { return goroutines("greet") == 1 })
	var all sync.WaitGroup
	done := atomic.Int32{}
	for range 5 {
		raw := r.dial()
		all.Go(func() {
			if err := tls.Client(raw.Conn, clientTLS(t)).Handshake(); err != nil {
				t.Error(err)
			}
			done.Add(1)
		})
	}
	looks := 0
	await(t, "wait", func() bool { looks++; return looks > 50 })
	if n, m := goroutines("greet"), done.Load(); n != 1 || m != 0 {
		t.Errorf("%d at once, %d done", n, m)
	}
	silent.Close()
	all.Wait()
}

// What came last and the end are one event here, since the loop was busy.
func TestATLSClientThatEndsInTheMiddleOfARequestIsLetGo(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		busy, free := make(chan struct{}), make(chan struct{})
		takes := func(_, _, path string, _ exchange.Header) bool {
			if path == "/busy" {
				close(busy)
				<-free
			}
			return true
		}
		r := newRig(t, secured(t, setup{loops: http1.LoopsConfig{Takes: takes}}), instance(t, echo))
		other, _ := r.secure(config)
		c, conn := r.secure(config)
		c.get("/", 200, "/ ")
		other.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
		<-busy
		c.send("GET / HTTP/1.1\r\n")
		err := conn.NetConn().(*net.TCPConn).CloseWrite()
		close(free)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c.r); len(b) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, %v", b, err)
		}
	})
}

func TestAPortThatSpeaksTLSSaysSo(t *testing.T) {
	t.Parallel()
	r := newRig(t, secured(t, setup{}), instance(t, echo))
	c := r.dial()
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, body := c.answer("GET"); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "https://") {
		t.Errorf("%d %q", res.StatusCode, body)
	}
	c.closed()
	for _, garbage := range []string{"\x00\x01\x02\x03\x04\x05", strings.Repeat("\xff", 70_000), "\x16\x03\x01\x00\x05hello", "SSH-2.0-x\r\n"} {
		c := r.dial()
		go func() { _, _ = io.WriteString(c, garbage) }()
		if b, err := io.ReadAll(c.r); len(b) > 7 || errors.Is(err, os.ErrDeadlineExceeded) { // an alert at most
			t.Errorf("%q: %q, %v", garbage[:5], b, err)
		}
	}
}

func TestWhatIsNoRecordEndsTheConnection(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		r := newRig(t, secured(t, setup{}), instance(t, echo))
		c, conn := r.secure(config)
		c.get("/", 200, "/ ")
		_, _ = io.WriteString(conn.NetConn(), "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))
		if _, err := c.r.ReadByte(); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			t.Errorf("the client was not told: %v", err)
		}
	})
}

func TestTheLoopsEndWhileHandsAreShaken(t *testing.T) { //nolint:paralleltest // it counts goroutines
	r := newRig(t, secured(t, setup{count: 2, loops: http1.LoopsConfig{Handshakes: 2, Shutdown: patience}}), instance(t, echo))
	idle, _ := r.secure(clientTLS(t))
	idle.get("/", 200, "/ ")
	all := []*client{idle}
	for range 10 {
		c := r.dial()
		c.send(halfHello)
		all = append(all, c)
	}
	await(t, "handshakes", func() bool { return goroutines("greet") == 4 })
	r.stop()
	<-r.ended
	for _, c := range all {
		c.closed()
	}
}

func TestKeysMayBeUpdated(t *testing.T) {
	t.Parallel()
	openssl := need.Command(t, "openssl")
	r := newRig(t, secured(t, setup{}), instance(t, echo))
	cmd := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", r.addr, "-tls1_3") //nolint:gosec // fixed arguments
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, sink := io.Pipe()
	cmd.Stdout, cmd.Stderr = sink, sink // it tells of updates in the latter
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		out.Close()
		_ = cmd.Wait() // it does not like its output closed
	}()
	lines := bufio.NewReader(out)
	for i := range 4 {
		_, _ = fmt.Fprintf(in, "GET /%d HTTP/1.1\r\nHost: a\r\nConnection: %s\r\n\r\n", i, []string{"keep-alive", "close"}[i/3])
		for want := fmt.Sprintf("/%d ", i); ; {
			line, err := lines.ReadString(' ')
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			if strings.HasSuffix(line, "\n"+want) {
				break
			}
		}
		_, _ = io.WriteString(in, "K\n") // new keys for both sides
		if line, err := lines.ReadString('\n'); i < 3 && !strings.HasPrefix(line, "KEYUPDATE") {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// goroutines counts those in which a name appears.
func goroutines(name string) int {
	buf := make([]byte, 1<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, name) {
			n++
		}
	}
	return n
}

// Of a request over TLS, crypto/tls itself allocates 24 bytes where it reads a
// record, on each side; the loop allocates nothing.
func TestASteadyLoopAllocatesOnlyWhatCryptoTLSDoes(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	r := newRig(t, secured(t, setup{}), instance(t, func(c net.Conn, _ *bufio.Reader) {
		buf, answer := make([]byte, 4096), []byte(hello)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}))
	_, c := r.secure(clientTLS(t))
	_ = c.SetDeadline(time.Now().Add(6 * patience))
	request, buf := []byte(browserRequest), make([]byte, 4096)
	once := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], []byte("hello")) {
			t.Fatal(string(buf[:n]), err)
		}
	}
	const rounds = 2000
	for range rounds {
		once()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		once()
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 2*rounds+rounds/50 {
		t.Errorf("%d allocations in %d exchanges", n, rounds)
	}
}
