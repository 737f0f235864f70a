package front_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/fault/internal/front"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// troubled fails to accept a few times, as when file descriptors run out.
type troubled struct {
	net.Listener
	left atomic.Int64
}

func (t *troubled) Accept() (net.Conn, error) {
	if t.left.Add(-1) >= 0 {
		return nil, syscall.EMFILE
	}
	return t.Listener.Accept()
}

func TestADoorOutlivesTroubleAndReturnsWhenAllHaveLeft(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shaky := &troubled{Listener: l}
	shaky.left.Store(3)
	d := &front.Door{Listener: shaky, Max: 10}
	ctx, cancel := context.WithCancel(t.Context())
	served, left, done := make(chan uint64), make(chan bool, 2), make(chan error, 1)
	go func() {
		done <- d.Run(ctx, func(ctx context.Context) { <-ctx.Done(); left <- true },
			func(ctx context.Context, id uint64, c net.Conn) {
				defer c.Close()
				served <- id
				<-ctx.Done()
				left <- true
			})
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if id := <-served; id != 1 {
		t.Errorf("the first connection has number %d", id)
	}
	cancel()
	if err := <-done; err != nil || len(left) != 2 || d.Open.Load() != 0 {
		t.Errorf("Run = %v with %d gone and %d open", err, len(left), d.Open.Load())
	}
}

func TestAListenerThatIsClosedByOthersIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	d := &front.Door{Listener: l, Max: 10}
	if err := d.Run(t.Context(), func(context.Context) {}, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run = %v", err)
	}
}

func TestRestEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if front.Rest(ctx, time.Hour) || !front.Rest(t.Context(), 0) {
		t.Error("Rest says otherwise")
	}
}
