package httpload_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
)

// warm makes a user that has a connection, and the request it sent for that.
func warm(t *testing.T, r httpload.Request) loadtest.Sender {
	t.Helper()
	client, err := httpload.New(httpload.Config{Requests: []httpload.Request{r}})
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.NewUser(0)
	if err != nil {
		t.Fatal(err)
	}
	u, ok := made.(loadtest.Sender)
	if !ok {
		t.Fatal("the user is no Sender")
	}
	t.Cleanup(u.Close)
	var s loadtest.Shot
	u.Do(t.Context(), &s)
	if s.Class != loadtest.OK {
		t.Fatal(s.Class, s.Err)
	}
	return u
}

// sendAhead has StandBy wait, sends s and calls then; it returns when StandBy did.
func sendAhead(t *testing.T, u loadtest.Sender, s *loadtest.Shot, then ...func()) {
	t.Helper()
	stood := make(chan bool, 1)
	go func() { stood <- u.StandBy() }()
	for deadline := time.Now().Add(10 * time.Second); !httpload.Waiting(u) && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if !u.Send(s) || s.Written == 0 {
		t.Fatal("Send did not send, nobody stands by")
	}
	for _, f := range then {
		f()
	}
	if !<-stood {
		t.Fatal("StandBy does not know that a request was sent")
	}
}

func TestARequestSentAheadIsFinishedByDo(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"small": "hello", "larger than the system takes": strings.Repeat("0123456789abcdef", 1<<19)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan int, 3)
			url := raw(t, func(c net.Conn, _ int) {
				for in := bufio.NewReader(c); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					b, _ := io.ReadAll(r.Body)
					got <- len(b)
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
				}
			})
			u := warm(t, httpload.Request{Method: "POST", URL: url, Body: body})
			for range 2 {
				var s loadtest.Shot
				sendAhead(t, u, &s)
				u.Do(t.Context(), &s)
				if s.Class != loadtest.OK || s.Status != 200 || s.BytesIn != 40 || s.BytesOut < int64(len(body)) || s.Connected > 0 {
					t.Errorf("%v, %v, status %d, %d bytes in, %d out", s.Class, s.Err, s.Status, s.BytesIn, s.BytesOut)
				}
			}
			for range 3 {
				if n := <-got; n != len(body) {
					t.Errorf("the target got a body of %d bytes, want %d", n, len(body))
				}
			}
		})
	}
}

func TestAnIdleConnectionThatEndsIsNotedBeforeARequestIsSentOnIt(t *testing.T) {
	t.Parallel()
	for name, parting := range map[string]string{"silently": "", "with a last word": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"} {
		url := raw(t, func(c net.Conn, _ int) {
			if readHead(bufio.NewReader(c)) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				time.Sleep(50 * time.Millisecond) // idle
				io.WriteString(c, parting)
			}
		})
		u := warm(t, httpload.Request{Method: "POST", URL: url})
		if u.StandBy() {
			t.Errorf("%s: StandBy takes the end of the connection for an answer", name)
		}
		var s loadtest.Shot
		if u.Send(&s) {
			t.Errorf("%s: Send sends on a connection that has ended", name)
		}
		if u.Do(t.Context(), &s); s.Class != loadtest.OK || s.Reconnects != 0 || s.Connected == 0 {
			t.Errorf("%s: %v, %v, sent again %d times", name, s.Class, s.Err, s.Reconnects)
		}
	}
}

// What may be repeated is, on another connection, when the target closes the one it was sent ahead on.
func TestARequestSentAheadIsRepeatedOnlyWhereItMayBe(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]loadtest.Class{"GET": loadtest.OK, "POST": loadtest.Truncated} {
		url := raw(t, func(c net.Conn, n int) {
			r := bufio.NewReader(c)
			if readHead(r) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				if readHead(r); n > 0 { // the first connection ends with its second request
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			}
		})
		u := warm(t, httpload.Request{Method: method, URL: url})
		var s loadtest.Shot
		sendAhead(t, u, &s)
		u.Do(t.Context(), &s)
		if s.Class != want || (s.Reconnects == 1) != (want == loadtest.OK) {
			t.Errorf("%s: %v, %v, sent again %d times, want %v", method, s.Class, s.Err, s.Reconnects, want)
		}
		s = loadtest.Shot{}
		if u.Do(t.Context(), &s); s.Class != loadtest.OK {
			t.Errorf("%s: the next one: %v, %v", method, s.Class, s.Err)
		}
	}
}

func TestARequestSentAheadCanBeInterrupted(t *testing.T) {
	t.Parallel()
	url := raw(t, func(c net.Conn, _ int) {
		if readHead(bufio.NewReader(c)) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			io.Copy(io.Discard, c) // no further answer
		}
	})
	u := warm(t, httpload.Request{URL: url})
	var s loadtest.Shot
	sendAhead(t, u, &s, u.Interrupt)
	if u.Do(t.Context(), &s); s.Class == loadtest.OK || s.Reconnects > 0 {
		t.Errorf("%v, sent again %d times, want a failure", s.Class, s.Reconnects)
	}
	if u.StandBy() {
		t.Error("StandBy waits on a connection that was interrupted")
	}
	s = loadtest.Shot{}
	if u.Do(t.Context(), &s); s.Class != loadtest.OK {
		t.Errorf("the next one: %v, %v", s.Class, s.Err)
	}
}

func TestAStopThatComesJustBeforeDoIsNotForgotten(t *testing.T) {
	t.Parallel()
	url := raw(t, func(c net.Conn, _ int) {
		if readHead(bufio.NewReader(c)) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
		io.Copy(io.Discard, c) // no further answer
	})
	u := warm(t, httpload.Request{URL: url})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	late := time.AfterFunc(5*time.Second, u.Interrupt) // of the Do, if it goes on
	defer late.Stop()
	var s loadtest.Shot
	if u.Do(ctx, &s); s.Class == loadtest.OK || !errors.Is(s.Err, context.Canceled) {
		t.Errorf("%v, %v, want it to end with the run", s.Class, s.Err)
	}
}

func TestDismissEndsStandByForEver(t *testing.T) {
	t.Parallel()
	u := warm(t, httpload.Request{URL: raw(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))})
	time.AfterFunc(50*time.Millisecond, u.Dismiss)
	for range 2 {
		if u.StandBy() {
			t.Error("StandBy returns true, nobody sent anything")
		}
	}
}

// An open run over real connections sends nearly all its requests ahead, and loses none.
func TestAnOpenRunKeepsItsConnections(t *testing.T) {
	t.Parallel()
	url := raw(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	client, err := httpload.New(httpload.Config{Requests: get(url)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Rate: 500, Duration: time.Second, Timeout: 20 * time.Second, MaxInFlight: 50})
	if err != nil {
		t.Fatal(err)
	}
	if r.Total.Counts[loadtest.OK] != 500 || r.Total.Connect.Count() > 50 || r.Total.Service.Count() != 500 {
		t.Errorf("%v over %d connections; %v", r.Total.Counts, r.Total.Connect.Count(), r.Errors)
	}
}
