package middleware

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errTakesNothing = errors.New("takes nothing")

// deaf is a connection whose other side takes nothing but may speak.
type deaf struct{ net.Conn }

func (deaf) Write([]byte) (int, error) { return 0, errTakesNothing }

func TestAWriteThatFailedWaitsForTheLastWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		speak func(there net.Conn) // while nobody takes what is written
		heard string
		want  time.Duration
	}{
		{"silence", func(there net.Conn) { time.Sleep(time.Minute); there.Close() }, "", lastWords},
		{"an end in time", func(there net.Conn) { time.Sleep(lastWords / 2); there.Close() }, "", lastWords / 2},
		{"words, then silence", func(there net.Conn) {
			for range 3 {
				time.Sleep(lastWords / 2)
				_, _ = io.WriteString(there, "x")
			}
		}, "xxx", 5 * lastWords / 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				defer there.Close()
				conn := newHearOut(deaf{here})
				defer conn.Close()
				var speaking sync.WaitGroup
				defer speaking.Wait()
				speaking.Go(func() { c.speak(there) })
				heard := make(chan string, 1)
				go func() {
					all, _ := io.ReadAll(conn) // how it ends is the other half's to tell
					heard <- string(all)
				}()
				began := time.Now()
				n, err := conn.Write([]byte("body"))
				if took := time.Since(began); n != 0 || !errors.Is(err, errTakesNothing) || took != c.want {
					t.Errorf("%d, %v after %v, want %v", n, err, took, c.want)
				}
				if got := <-heard; got != c.heard {
					t.Errorf("heard %q, want %q", got, c.heard)
				}
			})
		})
	}
}

func TestACloseEndsAWriteThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		conn := newHearOut(deaf{here})
		failed := make(chan error)
		go func() {
			_, err := conn.Write([]byte("body"))
			failed <- err
		}()
		synctest.Wait()
		select {
		case err := <-failed:
			t.Fatalf("%v, although something may be left to read", err)
		default:
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := <-failed; !errors.Is(err, errTakesNothing) {
			t.Error(err)
		}
	})
}
