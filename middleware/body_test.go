package middleware

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newBody returns the body of a request whose client sends through source.
func newBody(source io.Reader, limit int64) *replayBody {
	r := httptest.NewRequest(http.MethodPut, "/", source)
	return newReplayBody(r, limit, http.NewResponseController(httptest.NewRecorder()))
}

func dogFor(t *testing.T) *watchdog {
	t.Helper()
	d := newWatchdog(time.Hour, time.Hour, func(error) {})
	t.Cleanup(d.stop)
	return d
}

func TestABodyCanBeReadAgainUntilTheLimitIsPassed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size  int
		limit int64
		again bool
	}{{0, 10, true}, {9, 10, true}, {11, 10, false}, {1, 0, false}, {5000, 4096, false}} {
		b := newBody(strings.NewReader(strings.Repeat("x", c.size)), c.limit)
		first, err := io.ReadAll(b.open(dogFor(t), nil))
		if len(first) != c.size || err != nil {
			t.Errorf("read %d of %d, %v", len(first), c.size, err)
		}
		if b.replayable() != c.again {
			t.Errorf("%d bytes with limit %d: replayable %v", c.size, c.limit, b.replayable())
		}
		second, err := io.ReadAll(b.open(dogFor(t), nil))
		if c.again != (err == nil && bytes.Equal(first, second)) {
			t.Errorf("%d bytes with limit %d: the second read gave %d, %v", c.size, c.limit, len(second), err)
		}
		b.close()
	}
}

func TestAShutViewReadsNothing(t *testing.T) {
	t.Parallel()
	b := newBody(strings.NewReader("data"), 10)
	first := b.open(dogFor(t), nil)
	second := b.open(dogFor(t), nil)
	if n, err := first.Read(make([]byte, 4)); n != 0 || !errors.Is(err, errAttemptOver) {
		t.Errorf("the first view read %d, %v", n, err)
	}
	if got, err := io.ReadAll(second); string(got) != "data" || err != nil {
		t.Errorf("the second view read %q, %v", got, err)
	}
	b.close()
	if n, err := b.open(dogFor(t), nil).Read(make([]byte, 4)); n != 0 || !errors.Is(err, errAttemptOver) {
		t.Errorf("after the end %d bytes were read, %v", n, err)
	}
}

// What a forgotten reader brings late belongs to the next one.
func TestAForgottenReaderLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		b := newBody(pr, 100)
		var readers sync.WaitGroup
		old := b.open(dogFor(t), nil)
		readers.Go(func() { _, _ = io.Copy(io.Discard, old) })
		synctest.Wait() // it reads the client
		b.shut()
		if !b.replayable() {
			t.Error("a read under way makes the body unrepeatable")
		}
		next := b.open(dogFor(t), nil)
		readers.Go(func() {
			if got, err := io.ReadAll(next); string(got) != "one two" || err != nil {
				t.Errorf("the next reader got %q, %v", got, err)
			}
		})
		synctest.Wait()
		_, _ = io.WriteString(pw, "one ")
		_, _ = io.WriteString(pw, "two")
		_ = pw.Close()
		readers.Wait()
		b.close()
	})
}

func TestNobodyBeginsAReadWhileTheMachineDecides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBody(strings.NewReader("data"), 2)
		v := b.open(dogFor(t), nil)
		var reader sync.WaitGroup
		b.decide(func(replayable bool) bool {
			reader.Go(func() {
				if n, err := v.Read(make([]byte, 4)); n != 0 || !errors.Is(err, errAttemptOver) {
					t.Errorf("read %d, %v", n, err)
				}
			})
			if !replayable {
				t.Error("an unread body is not replayable")
			}
			return false
		})
		reader.Wait()
		if got, err := io.ReadAll(b.open(dogFor(t), nil)); string(got) != "data" || err != nil {
			t.Errorf("the next attempt read %q, %v", got, err)
		}
		b.close()
	})
}

func TestReadingAheadStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	source := strings.NewReader(strings.Repeat("x", 100))
	b := newBody(source, 60)
	b.readAhead()
	b.ahead.Wait()
	if source.Len() != 40 {
		t.Errorf("%d bytes are left, want 40", source.Len())
	}
	if got, err := io.ReadAll(b.open(dogFor(t), nil)); len(got) != 100 || err != nil {
		t.Errorf("read %d, %v", len(got), err)
	}
	b.close()
}

// Attempts come and go at random moments; every one that reads to the end has
// the whole body, and none ever has a wrong byte.
func TestAttemptsInAnyOrderSeeTheSameBytes(t *testing.T) {
	t.Parallel()
	want := make([]byte, 3000)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for round := range 300 {
		seed := rand.New(rand.NewPCG(1, uint64(round)))
		limit := int64(seed.IntN(4000))
		b := newBody(&chopped{left: want, draw: seed.IntN(700) + 1}, limit)
		if seed.IntN(2) == 0 {
			b.readAhead()
		}
		var readers sync.WaitGroup
		whole := make(chan bool, 10)
		for n := 0; n == 0 || n < 5 && b.replayable(); n++ {
			v := b.open(dogFor(t), nil)
			readers.Go(func() {
				got, err := io.ReadAll(v)
				if !bytes.HasPrefix(want, got) || err == nil && len(got) != len(want) {
					t.Errorf("round %d: an attempt read %d wrong bytes, %v", round, len(got), err)
				}
				whole <- err == nil
			})
			if seed.IntN(3) == 0 {
				readers.Wait()
			}
		}
		readers.Wait()
		close(whole)
		last := false
		for ok := range whole {
			last = last || ok
		}
		b.close()
		if !last && limit >= int64(len(want)) {
			t.Errorf("round %d: nobody read the whole body", round)
		}
	}
}

// chopped gives its bytes in pieces of at most draw.
type chopped struct {
	left []byte
	draw int
}

func (c *chopped) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.draw)], c.left)
	c.left = c.left[n:]
	return n, nil
}

func TestTheWatchdogBitesOnceAndNeverAfterStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bites []error
		d := newWatchdog(2*time.Second, 5*time.Second, func(cause error) { bites = append(bites, cause) })
		d.waiting(true)
		<-time.After(4 * time.Second) // the client's turn: idle counts
		d.waiting(false)
		<-time.After(time.Second)
		if !d.headCame() {
			t.Fatal("bitten too early")
		}
		d.relaying(true)
		<-time.After(time.Minute)
		synctest.Wait()
		if len(bites) != 1 || !errors.Is(bites[0], errClientStalled) {
			t.Errorf("bites %v", bites)
		}
		stopped := newWatchdog(time.Second, time.Second, func(cause error) { t.Errorf("bitten after stop: %v", cause) })
		stopped.stop()
		stopped.waiting(true)
		stopped.hurry(time.Millisecond)
		if stopped.headCame() {
			t.Error("a head came after the end")
		}
		<-time.After(time.Minute)
	})
}
