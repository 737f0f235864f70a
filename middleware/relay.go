package middleware

import (
	"errors"
	"io"
	"sync"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

// relayBody is an instance's answer on its way to the client. It tells the
// machine how the answer ended: whole, broken off by the instance, or given up
// by the client.
type relayBody struct {
	from    io.ReadCloser
	t       *try
	attempt int
	idle    time.Duration
	watch   *time.Timer
	bytes   int64
	ended   sync.Once
}

// Read implements io.Reader. An instance that sends nothing for idle is cut.
func (b *relayBody) Read(p []byte) (int, error) {
	if b.watch == nil {
		b.watch = time.AfterFunc(b.idle, func() { b.t.cancel(errIdle) })
	} else {
		b.watch.Reset(b.idle)
	}
	n, err := b.from.Read(p)
	b.watch.Stop()
	b.bytes += int64(n)
	if err != nil {
		b.end(kindOfEnd(err))
	}
	return n, err
}

var errIdle = errors.New("no byte within timeouts.idle")

func kindOfEnd(err error) retry.Kind {
	if errors.Is(err, io.EOF) {
		return retry.OK
	}
	return retry.Reset
}

// Close implements io.Closer. Before the end was read it means that the client
// did not take the rest.
func (b *relayBody) Close() error {
	b.end(retry.Canceled)
	err := b.from.Close()
	b.t.giveUp()
	return err
}

func (b *relayBody) end(k retry.Kind) {
	b.ended.Do(func() {
		if k == retry.Reset && b.t.client.Err() != nil {
			k = retry.Canceled // net/http cut the instance off because the client left
		}
		b.t.f.x.Done(b.attempt, exchange.Outcome{Kind: k, Sent: true, Bytes: b.bytes}, time.Now())
	})
}

// relayStream is a connection that was upgraded: bytes flow both ways.
type relayStream struct {
	*relayBody
	to io.Writer
}

// Write implements io.Writer.
func (s *relayStream) Write(p []byte) (int, error) { return s.to.Write(p) }

// Read implements io.Reader. Upgraded connections may be silent one way as
// long as bytes flow the other, and end whenever one side wants.
func (s *relayStream) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.bytes += int64(n)
	if err != nil {
		s.end(retry.OK)
	}
	return n, err
}

// Close implements io.Closer.
func (s *relayStream) Close() error {
	s.end(retry.OK)
	err := s.from.Close()
	s.t.giveUp()
	return err
}
