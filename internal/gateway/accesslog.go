package gateway

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

// Access says which exchanges are logged.
type Access uint32

const (
	// AccessFailed logs failed exchanges and those with more than one attempt.
	AccessFailed Access = iota
	// AccessAll logs every exchange.
	AccessAll
	// AccessOff logs none.
	AccessOff
)

// accessLog writes exchanges to a logger. Writing may be slow, so one
// goroutine does it; when it cannot keep up, records are dropped and counted
// rather than requests delayed.
type accessLog struct {
	logger  *slog.Logger
	which   atomic.Uint32
	dropped atomic.Uint64
	queue   chan *exchange.Record
	pool    sync.Pool
}

const accessQueue = 1024

func newAccessLog(l *slog.Logger) *accessLog {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return &accessLog{
		logger: l, queue: make(chan *exchange.Record, accessQueue),
		pool: sync.Pool{New: func() any { return new(exchange.Record) }},
	}
}

// SetAccess says which exchanges are logged from now on.
func (g *Gateway) SetAccess(a Access) { g.access.which.Store(uint32(a)) }

// DroppedLogs is how many access log entries were dropped because the log
// could not keep up.
func (g *Gateway) DroppedLogs() uint64 { return g.access.dropped.Load() }

func (l *accessLog) wants(r *exchange.Record) bool {
	switch Access(l.which.Load()) {
	case AccessAll:
		return true
	case AccessFailed:
		return r.Failed() || r.N > 1
	case AccessOff:
	}
	return false
}

func (l *accessLog) observe(r *exchange.Record) {
	if !l.wants(r) {
		return
	}
	c, ok := l.pool.Get().(*exchange.Record)
	if !ok {
		return
	}
	*c = *r
	select {
	case l.queue <- c:
	default:
		l.dropped.Add(1)
		l.pool.Put(c)
	}
}

// run writes until ctx ends and then what is still queued.
func (l *accessLog) run(ctx context.Context) {
	for {
		select {
		case r := <-l.queue:
			l.write(r)
		case <-ctx.Done():
			for {
				select {
				case r := <-l.queue:
					l.write(r)
				default:
					return
				}
			}
		}
	}
}

func (l *accessLog) write(r *exchange.Record) {
	defer l.pool.Put(r)
	attrs := []slog.Attr{
		slog.String("id", r.ID.String()), slog.String("method", r.Method.String()), slog.String("host", r.Host.String()),
		slog.String("path", r.Path.String()), slog.String("client", r.Client.String()), slog.Int("status", int(r.Status)),
		slog.Float64("head_ms", ms(r.Head)), slog.Float64("took_ms", ms(r.Took)), slog.Int64("bytes", r.Bytes),
	}
	if r.Function != nil {
		attrs = append(attrs, slog.String("function", r.Function.Name()))
	}
	if r.Reason != exchange.ReasonNone {
		attrs = append(attrs, slog.String("reason", r.Reason.String()))
	}
	attrs = append(attrs, slog.Any("attempts", attemptsOf(r)))
	l.logger.LogAttrs(context.Background(), slog.LevelInfo, "exchange", attrs...)
}

// loggedAttempt is one attempt in the access log.
type loggedAttempt struct {
	Instance string  `json:"instance"`
	Status   int     `json:"status,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	TookMS   float64 `json:"took_ms"`
	UploadMS float64 `json:"upload_ms,omitempty"` // of it, waiting for the client's body
	Then     string  `json:"then,omitempty"`      // what the retry rule said
}

func attemptsOf(r *exchange.Record) []loggedAttempt {
	list := make([]loggedAttempt, 0, r.N)
	for i := range r.Attempts[:r.N] {
		a := &r.Attempts[i]
		e := loggedAttempt{Instance: a.Instance.ID(), Status: int(a.Status), TookMS: ms(max(a.Head, a.Took)), UploadMS: ms(a.Upload)}
		if a.Reason != exchange.ReasonNone {
			e.Reason = a.Reason.String()
		}
		if a.Kind != retry.OK && a.Kind != retry.Canceled {
			e.Then = a.Decision.Reason.String()
		}
		list = append(list, e)
	}
	return list
}

func ms(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
