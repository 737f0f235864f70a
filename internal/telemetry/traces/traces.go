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
	// Failed is told when spans could not be sent, and with nil when they can again.
	// May be nil.
	Failed func(error)
}

const (
	queueSize    = 4096
	batchSize    = 512              // exchanges that are sent at once
	batchWait    = 2 * time.Second  // for more to be sent with the first
	exportTime   = 10 * time.Second // for a batch, with all its repetitions
	farewellTime = 5 * time.Second  // for what is left at the end
)

// Traces is safe for concurrent use. Run sends what Observe took.
type Traces struct {
	config    Config
	queue     chan *exchange.Record
	free      sync.Pool // of *exchange.Record
	troubled  limit
	exemplars exemplars
	builder   builder

	dropped, failed, sent atomic.Uint64
	broken                bool // Run's
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
	batch := t.collect(ctx)
	for ctx.Err() == nil {
		t.send(ctx, batch, exportTime)
		batch = t.collect(ctx)
	}
	t.farewell(ctx, batch)
	return nil
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
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), farewellTime)
	defer stop()
	for ctx.Err() == nil {
		for len(batch) < batchSize && len(t.queue) > 0 {
			batch = append(batch, <-t.queue)
		}
		if len(batch) == 0 {
			break
		}
		t.send(ctx, batch, farewellTime)
		batch = batch[:0]
	}
	_ = t.config.Exporter.Shutdown(ctx) // there is nobody left to tell
}

func (t *Traces) send(ctx context.Context, batch []*exchange.Record, within time.Duration) {
	if len(batch) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, within)
	defer stop()
	err := t.config.Exporter.ExportSpans(ctx, t.builder.spans(batch)) //nolint:contextcheck // the context of a span is its parent
	if err != nil {
		t.failed.Add(uint64(len(batch)))
	} else {
		t.sent.Add(uint64(len(batch)))
	}
	for _, r := range batch {
		if err == nil {
			t.exemplars.note(r)
		}
		clear(r.Attempts[:r.N]) // they would keep instances that are long gone
		r.Facts = exchange.Facts{}
		t.free.Put(r)
	}
	t.tell(err)
}

// tell says once that it fails, and once that it does not any more.
func (t *Traces) tell(err error) {
	if broken := err != nil; broken != t.broken {
		t.broken = broken
		if t.config.Failed != nil {
			t.config.Failed(err)
		}
	}
}

// Counts reads the counters.
func (t *Traces) Counts() telemetry.TraceCounts {
	return telemetry.TraceCounts{Waiting: len(t.queue), Sent: t.sent.Load(), Dropped: t.dropped.Load(), Failed: t.failed.Load()}
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
