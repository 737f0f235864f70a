package soak_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// lasts is how long a stream is listened to.
func lasts(rnd *rand.Rand) time.Duration {
	return 2*time.Second + time.Duration(rnd.IntN(18_000))*time.Millisecond
}

// events follows a stream of numbered events.
func (l *load) events(stop context.Context, s sent, rnd *rand.Rand) {
	k, err := l.dial()
	if err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	defer k.Close()
	until := time.Now().Add(lasts(rnd))
	if _, err := io.WriteString(k, head(http.MethodGet, l.path(rnd, "events"), s.id, "")); err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	res, err := http.ReadResponse(k.r, &http.Request{Method: http.MethodGet})
	if err != nil || res.StatusCode != http.StatusOK || res.Header.Get(headerID) != s.id {
		l.book.fail("%v %v %+v", s, err, res)
		return
	}
	pid, _ := strconv.Atoi(res.Header.Get(headerPID)) // 0 is nobody's
	n := 0
	lines := bufio.NewScanner(res.Body)
	for stop.Err() == nil && time.Now().Before(until) {
		if !lines.Scan() {
			l.book.stream(s, pid, errors.Join(lines.Err(), fmt.Errorf("after %d events", n)))
			return
		}
		text, found := strings.CutPrefix(lines.Text(), "data: ")
		if !found {
			continue
		}
		if text != fmt.Sprintf("%s %d", s.id, n) {
			l.book.fail("%v event %d is %q", s, n, text)
			return
		}
		n++
		_ = k.SetDeadline(time.Now().Add(clientTimeout)) // an error shows at the next read
	}
	l.book.well(s.kind)
}

// socket sends messages and wants each of them back, with its id.
func (l *load) socket(stop context.Context, s sent, rnd *rand.Rand) {
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: l.client.secure}
	defer transport.CloseIdleConnections()
	c, res, err := websocket.Dial(context.WithoutCancel(stop), l.client.scheme()+"://"+l.client.address+l.path(rnd, "socket"), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport, Timeout: clientTimeout}, HTTPHeader: http.Header{headerID: {s.id}},
	})
	if err != nil {
		l.book.fail("%v %v", s, err)
		return
	}
	defer c.CloseNow()
	pid, _ := strconv.Atoi(res.Header.Get(headerPID)) // 0 is nobody's
	c.SetReadLimit(messageLimit)
	until := time.Now().Add(lasts(rnd))
	for n := 0; stop.Err() == nil && time.Now().Before(until); n++ {
		got, err := echo(context.WithoutCancel(stop), c, strconv.Itoa(n)+strings.Repeat(".", rnd.IntN(2000)*rnd.IntN(20)))
		if err != nil {
			l.book.stream(s, pid, err)
			return
		}
		if !strings.HasPrefix(got, fmt.Sprintf("%s %d", s.id, n)) {
			l.book.fail("%v message %d came back as %.40q", s, n, got)
			return
		}
		select {
		case <-time.After(eventStep):
		case <-stop.Done():
		}
	}
	l.book.well(s.kind)
}

func echo(ctx context.Context, c *websocket.Conn, message string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		return "", err
	}
	_, got, err := c.Read(ctx)
	if err == nil && !strings.HasSuffix(string(got), " "+message) {
		return string(got), fmt.Errorf("the echo of %d bytes has %d", len(message), len(got))
	}
	return string(got), err
}
