// Package traces sends exchanges as traces to a collector, by the OpenTelemetry
// protocol (OTLP).
//
//	exchange ends ─► Observe ─► queue ─► Run: spans of the record ─► OTLP
//	                    └► full: dropped, counted
//
// Nothing of it happens while a request is served. An exchange's record has all
// that its spans say, and their ids follow from it (exchange.Facts.Span), so that
// the instances could be told before there was a span. Hence an exchange that
// failed can be sent although its trace was not sampled: that it fails is known at
// its end. Its instances, which were told that it is not sampled, send nothing.
package traces

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"holdfast/exchange"
	"holdfast/internal/telemetry"
)

// Exporter sends spans; those of OpenTelemetry are ones.
type Exporter = sdktrace.SpanExporter

// Config configures Traces.
type Config struct {
	// Exporter is where the spans go; required. Run shuts it down.
	Exporter Exporter
	// Service names this Holdfast in the traces, as far as the environment does not:
	// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES stand over it unless Named.
	Service       string
	Named         bool
	Version, Node string
	// Mask hides what must not leave in paths; nil hides nothing.
	Mask func(string) string
	// Queue is how many exchanges may wait; 0: 4096. Each takes about 3 KiB.
	Queue int
	// Failed is told when spans are lost on the way, and with nil once none were for
	// a minute: a collector that comes and goes makes two lines of log a minute. May
	// be nil.
	Failed func(error)
	// Warned is told what a collector says that took all spans. May be nil.
	Warned func(string)
}

const (
	queueSize    = 4096
	batchSize    = 512              // exchanges that are sent at once
	batchWait    = 2 * time.Second  // for more to be sent with the first
	exportTime   = 10 * time.Second // for a batch, with all its repetitions
	farewellTime = 5 * time.Second  // for what is left at the end, and under way then
	calm         = time.Minute      // without a loss, before it is said that all is well
)

// Traces is safe for concurrent use. Run sends what Observe took.
type Traces struct {
	config    Config
	queue     chan *exchange.Record
	free      sync.Pool // of *exchange.Record
	troubled  limit
	exemplars exemplars
	builder   builder

	dropped, failed, sent, refused atomic.Uint64

	broken bool      // Run's, as the next
	lostAt time.Time // when spans were lost last
}

// New makes traces; nothing is sent before Run.
func New(ctx context.Context, c Config) *Traces { //nolint:gocritic // the copy is kept
	if c.Queue <= 0 {
		c.Queue = queueSize
	}
	t := &Traces{config: c, queue: make(chan *exchange.Record, c.Queue)}
	t.free.New = func() any { return new(exchange.Record) }
	t.builder.init(resourceOf(ctx, &c), c.Mask)
	return t
}

// resourceOf says whose traces they are. What of the environment cannot be read is
// left out.
func resourceOf(ctx context.Context, c *Config) *resource.Resource {
	own := []attribute.KeyValue{semconv.ServiceVersion(c.Version), semconv.ServiceInstanceID(c.Node)}
	name := semconv.ServiceName(c.Service)
	options := []resource.Option{resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(append(own, name)...), resource.WithFromEnv()}
	if c.Named {
		options = append(options, resource.WithAttributes(name))
	}
	r, _ := resource.New(ctx, options...) // parts that cannot be read are left out of it
	return r
}

// Observe takes an exchange that is over, if it is to be sent: it was sampled, or
// something was wrong with it. It never waits, and allocates nothing for the others.
func (t *Traces) Observe(r *exchange.Record) {
	if !r.Trace.Known() || !t.wants(r) {
		return
	}
	kept := t.free.Get().(*exchange.Record) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	kept.Facts = r.Facts
	copy(kept.Attempts[:], r.Attempts[:r.N])
	select {
	case t.queue <- kept:
	default:
		t.free.Put(kept)
		t.dropped.Add(1)
	}
}

func (t *Traces) wants(r *exchange.Record) bool {
	return r.Trace.Sampled || troubled(r) && t.troubled.take(r.Start.Add(r.Took))
}

// troubled says whether an exchange is worth a look. What no route matched is not:
// scanners would drive out the rest.
func troubled(r *exchange.Record) bool {
	return r.Function != nil && (r.N > 1 || r.Failed() || r.Slow())
}

// SetTroubled says how many a second are sent, besides those that were sampled, of
// the exchanges that failed, were slow or took more than one attempt.
func (t *Traces) SetTroubled(perSecond int) { t.troubled.most.Store(int64(perSecond)) }

// limit lets about so many through each second.
type limit struct{ most, second, n atomic.Int64 }

func (l *limit) take(now time.Time) bool {
	if s := now.Unix(); l.second.Swap(s) != s {
		l.n.Store(0)
	}
	return l.n.Add(1) <= l.most.Load()
}

// Run sends exchanges until ctx ends, then those that wait, and shuts the exporter
// down; that takes no longer than 5 s.
func (t *Traces) Run(ctx context.Context) error {
	out, stop := outlast(ctx, farewellTime)
	defer stop()
	batch := t.collect(ctx)
	for ctx.Err() == nil {
		t.send(out, batch)
		batch = t.collect(ctx)
	}
	t.farewell(out, batch)
	return nil
}

// outlast returns a context that ends a while after ctx, so that what is under way
// then arrives, or by stop.
func outlast(ctx context.Context, by time.Duration) (out context.Context, stop func()) {
	out, end := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(by, end) })
	return out, func() {
		forget()
		end()
	}
}

// collect waits for exchanges until there are enough, or the first has waited long
// enough, or ctx ends.
func (t *Traces) collect(ctx context.Context) []*exchange.Record {
	var batch []*exchange.Record
	var due <-chan time.Time
	for len(batch) < batchSize {
		select {
		case r := <-t.queue:
			if batch = append(batch, r); due == nil {
				due = time.After(batchWait)
			}
		case <-due:
			return batch
		case <-ctx.Done():
			return batch
		}
	}
	return batch
}

func (t *Traces) farewell(ctx context.Context, batch []*exchange.Record) {
	for ctx.Err() == nil {
		for len(batch) < batchSize && len(t.queue) > 0 {
			batch = append(batch, <-t.queue)
		}
		if len(batch) == 0 {
			break
		}
		t.send(ctx, batch)
		batch = batch[:0]
	}
	_ = t.config.Exporter.Shutdown(ctx) // there is nobody left to tell
}

func (t *Traces) send(ctx context.Context, batch []*exchange.Record) {
	if len(batch) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, exportTime)
	defer stop()
	spans := t.builder.spans(batch) //nolint:contextcheck // the context of a span is its parent
	taken, lost := t.judge(t.config.Exporter.ExportSpans(ctx, spans), len(spans))
	if taken {
		t.sent.Add(uint64(len(batch)))
	} else {
		t.failed.Add(uint64(len(batch)))
	}
	for _, r := range batch {
		if taken {
			t.exemplars.note(r)
		}
		clear(r.Attempts[:r.N]) // they would keep instances that are long gone
		r.Facts = exchange.Facts{}
		t.free.Put(r)
	}
	t.tell(lost, time.Now())
}

// judge reads what came of sending so many spans: whether they were taken, and
// what to say of those that were not.
func (t *Traces) judge(err error, spans int) (taken bool, lost error) {
	refused, why, some := answered(err)
	switch {
	case !some && err != nil:
		return false, errors.New(brief(err.Error()))
	case !some:
		return true, nil
	case refused == 0:
		if t.config.Warned != nil {
			t.config.Warned(brief(why))
		}
		return true, nil
	}
	refused = min(refused, spans) // it may say anything
	t.refused.Add(uint64(refused))
	return refused < spans, fmt.Errorf("it refused %d of %d spans: %s", refused, spans, brief(why))
}

// tell says once that spans are lost, and once that none are any more.
func (t *Traces) tell(lost error, now time.Time) {
	if lost != nil {
		t.lostAt = now
	} else if now.Sub(t.lostAt) < calm {
		return
	}
	if broken := lost != nil; broken != t.broken {
		t.broken = broken
		if t.config.Failed != nil {
			t.config.Failed(lost)
		}
	}
}

// Counts reads the counters.
func (t *Traces) Counts() telemetry.TraceCounts {
	return telemetry.TraceCounts{Waiting: len(t.queue), Sent: t.sent.Load(), Dropped: t.dropped.Load(), Failed: t.failed.Load(), Refused: t.refused.Load()}
}

// ids makes spans have the ids that instances were told; of Run's goroutine alone.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

// NewIDs implements sdktrace.IDGenerator.
func (i *ids) NewIDs(context.Context) (trace.TraceID, trace.SpanID) { return i.trace, i.span }

// NewSpanID implements sdktrace.IDGenerator.
func (i *ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return i.span }
