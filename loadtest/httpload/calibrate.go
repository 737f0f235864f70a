package httpload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/selfcheck"
)

// Ceiling is the most this machine generates: a closed run against a server that does nothing.
type Ceiling struct {
	Rate float64 // requests per second
	// CPU is what the process used per request, the null server's part included, which is about as much as the
	// generator's: a target on another machine leaves room for more than Rate.
	CPU   time.Duration
	Users int
	Self  selfcheck.Report
}

// Calibrate finds the ceiling with a null server in this process, on a port of the loopback, for d (2 s when it is 0).
func Calibrate(ctx context.Context, d time.Duration) (*Ceiling, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the calibration: %w", err)
	}
	var null sync.WaitGroup
	null.Go(func() { serveNothing(l, &null) })
	defer null.Wait()
	defer l.Close()
	client, err := New(Config{Requests: []Request{{Name: "null", URL: "http://" + l.Addr().String()}}})
	if err != nil {
		return nil, fmt.Errorf("prepare the calibration: %w", err)
	}
	if d <= 0 {
		d = 2 * time.Second
	}
	const users = 64
	meter := selfcheck.NewMeter(time.Now())
	r, err := loadtest.Run(ctx, loadtest.Config{Client: client, Concurrency: users, Duration: d})
	if err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	s := meter.Read(time.Now())
	good := r.Total.Counts[loadtest.OK]
	if good == 0 {
		return nil, errors.New("calibrate: the null server was not reached")
	}
	used := s.CPU * selfcheck.Capacity() * s.Length.Seconds()
	return &Ceiling{Rate: r.Rate(), CPU: time.Duration(used / float64(good) * 1e9), Users: users, Self: r.Self}, nil
}

// serveNothing answers every piece it reads with the same bytes.
func serveNothing(l net.Listener, conns *sync.WaitGroup) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!")
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		conns.Go(func() {
			defer c.Close()
			in := make([]byte, 1024)
			for {
				if _, err := c.Read(in); err != nil {
					return
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		})
	}
}
