package traces

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"holdfast/exchange"
	"holdfast/retry"
)

// builder makes spans of records; of one goroutine alone.
type builder struct {
	tracer trace.Tracer
	ids    ids
	mask   func(string) string
	made   []sdktrace.ReadOnlySpan
}

func (b *builder) init(of *resource.Resource, mask func(string) string) {
	if b.mask = mask; mask == nil {
		b.mask = func(s string) string { return s }
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(of), sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithIDGenerator(&b.ids), sdktrace.WithSpanProcessor(b))
	b.tracer = provider.Tracer("holdfast", trace.WithSchemaURL(semconv.SchemaURL))
}

// spans makes those of records: one for each exchange, below it one for each
// attempt.
func (b *builder) spans(batch []*exchange.Record) []sdktrace.ReadOnlySpan {
	b.made = b.made[:0]
	for _, r := range batch {
		b.exchange(r)
	}
	return b.made
}

// OnStart implements sdktrace.SpanProcessor.
func (b *builder) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (b *builder) OnEnd(s sdktrace.ReadOnlySpan) { b.made = append(b.made, s) }

// Shutdown implements sdktrace.SpanProcessor.
func (b *builder) Shutdown(context.Context) error { return nil }

// ForceFlush implements sdktrace.SpanProcessor.
func (b *builder) ForceFlush(context.Context) error { return nil }

func (b *builder) exchange(r *exchange.Record) {
	ctx := context.Background()
	if !r.Trace.Begun() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: r.Trace.ID, SpanID: r.Trace.Parent, TraceFlags: flagsOf(r), Remote: true,
		}))
	}
	method := methodOf(r)
	name := method
	if r.Route != nil {
		name += " " + routeOf(r.Route)
	}
	b.ids = ids{r.Trace.ID, r.Span()}
	ctx, span := b.tracer.Start(ctx, name, trace.WithTimestamp(r.Start), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(b.exchangeAttributes(r, method)...))
	b.visits(span, r)
	for n := range r.Attempts[:r.N] {
		b.attempt(ctx, r, n, method)
	}
	if r.Status >= 500 {
		span.SetStatus(codes.Error, r.Reason.String())
	}
	span.End(trace.WithTimestamp(r.Start.Add(r.Took)))
}

func flagsOf(r *exchange.Record) trace.TraceFlags {
	return trace.TraceFlags(0).WithSampled(r.Trace.Sampled)
}

func (b *builder) exchangeAttributes(r *exchange.Record, method string) []attribute.KeyValue {
	scheme := "http"
	if r.Secure {
		scheme = "https"
	}
	list := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(method), semconv.URLScheme(scheme), semconv.URLPath(b.mask(r.Path.String())),
		semconv.ServerAddress(r.Host.String()), semconv.HTTPResponseStatusCode(int(r.Status)), semconv.HTTPResponseBodySize(int(r.Bytes)),
		attribute.String("holdfast.request_id", r.ID.String()), attribute.Int("holdfast.attempts", int(r.N)),
		attribute.Bool("holdfast.sampled", r.Trace.Sampled),
	}
	if r.Client.IsValid() {
		list = append(list, semconv.ClientAddress(r.Client.String()))
	}
	if r.Route != nil {
		list = append(list, semconv.HTTPRoute(routeOf(r.Route)))
	}
	if r.Function != nil {
		list = append(list, attribute.String("holdfast.function", r.Function.Name()))
	}
	if r.Reason != exchange.ReasonNone {
		list = append(list, attribute.String("holdfast.reason", r.Reason.String()))
	}
	if r.Failed() {
		list = append(list, errorType(r.Reason, int(r.Status)))
	}
	if r.Slow() {
		list = append(list, attribute.Bool("holdfast.slow", true))
	}
	return list
}

// visits tells what the gates of each function said: the queue, the breaker, the
// wait for an instance, the fallback.
func (b *builder) visits(span trace.Span, r *exchange.Record) {
	for k := range r.Visits[:r.V] {
		v := &r.Visits[k]
		at := r.Start
		if v.First > 0 {
			at = endOf(r, int(v.First)-1)
		}
		tell := func(name string, about ...attribute.KeyValue) {
			about = append(about, attribute.String("holdfast.function", v.Function.Name()))
			span.AddEvent("holdfast."+name, trace.WithTimestamp(at), trace.WithAttributes(about...))
		}
		if v.Verdict != exchange.Entered {
			tell("queue", attribute.String("holdfast.verdict", v.Verdict.String()), millis("holdfast.queued_ms", v.Queued))
		}
		if v.BreakerAsked && !v.BreakerAllowed {
			tell("breaker", attribute.Bool("holdfast.allowed", false))
		}
		if v.Waited != exchange.ReasonNone {
			tell("wait", attribute.String("holdfast.reason", v.Waited.String()))
		}
		if v.Cold > 0 {
			tell("cold_start", millis("holdfast.held_ms", v.Cold))
		}
		if v.Left != exchange.ReasonNone {
			tell("fallback", attribute.String("holdfast.reason", v.Left.String()))
		}
	}
}

func (b *builder) attempt(ctx context.Context, r *exchange.Record, n int, method string) {
	a := &r.Attempts[n]
	b.ids.span = r.AttemptSpan(n)
	_, span := b.tracer.Start(ctx, method, trace.WithTimestamp(r.Start.Add(a.Start)), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(b.attemptAttributes(r, n, method)...))
	ended := endOf(r, n)
	if a.Kind != retry.OK && a.Kind != retry.Canceled && a.Decision.Reason != 0 {
		span.AddEvent("holdfast.retry", trace.WithTimestamp(ended), trace.WithAttributes(attribute.Bool("holdfast.again", a.Decision.Retry),
			attribute.String("holdfast.reason", a.Decision.Reason.String()), millis("holdfast.after_ms", a.Decision.After)))
	}
	if a.Reason != exchange.ReasonNone || a.Status >= 400 {
		text := ""
		if a.Reason != exchange.ReasonNone {
			text = a.Reason.String()
		}
		span.SetStatus(codes.Error, text)
	}
	span.End(trace.WithTimestamp(ended))
}

func (b *builder) attemptAttributes(r *exchange.Record, n int, method string) []attribute.KeyValue {
	a := &r.Attempts[n]
	path := r.Path.String()
	if r.Route != nil {
		path = r.Route.Forward(path)
	}
	endpoint := strings.TrimSuffix(a.Instance.Endpoint(), "/")
	host, port := hostOf(endpoint)
	list := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(method), semconv.URLFull(b.mask(endpoint + path)), semconv.ServerAddress(host), semconv.ServerPort(port),
		attribute.String("holdfast.function", r.FunctionOf(n).Name()), attribute.String("holdfast.instance", a.Instance.ID()),
		attribute.String("holdfast.pick", a.Pick.Rule.String()),
	}
	if a.Pick.Panic {
		list = append(list, attribute.Bool("holdfast.panic", true))
	}
	if n > 0 {
		list = append(list, semconv.HTTPRequestResendCount(n))
	}
	if a.Status != 0 {
		list = append(list, semconv.HTTPResponseStatusCode(int(a.Status)))
	}
	if a.Reason != exchange.ReasonNone || a.Status >= 400 {
		list = append(list, errorType(a.Reason, int(a.Status)))
	}
	if a.Upload > 0 {
		list = append(list, millis("holdfast.upload_ms", a.Upload))
	}
	return list
}

// errorType is of a small set, as the conventions want it: a status, or the reason
// there is none.
func errorType(reason exchange.Reason, status int) attribute.KeyValue {
	if reason == exchange.ReasonNone || reason == exchange.ReasonBadStatus {
		return semconv.ErrorTypeKey.String(strconv.Itoa(status))
	}
	return semconv.ErrorTypeKey.String(strings.ReplaceAll(reason.String(), " ", "_"))
}

func endOf(r *exchange.Record, n int) time.Time {
	a := &r.Attempts[n]
	return r.Start.Add(a.Start + max(a.Took, a.Head))
}

func millis(key string, d time.Duration) attribute.KeyValue {
	return attribute.Float64(key, float64(d)/float64(time.Millisecond))
}

// routeOf is what a route matches, without its methods.
func routeOf(r *exchange.Route) string {
	if r.Path == "" {
		return r.Host + "/"
	}
	return r.Host + r.Path
}

// methodOf names methods that are known: others would be names without bound.
func methodOf(r *exchange.Record) string {
	switch m := r.Method.String(); m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY":
		return m
	}
	return "_OTHER"
}

func hostOf(endpoint string) (host string, port int) {
	scheme, at, _ := strings.Cut(endpoint, "://")
	port = 80
	if scheme == "https" {
		port = 443
	}
	if ap, err := netip.ParseAddrPort(at); err == nil {
		return ap.Addr().String(), int(ap.Port())
	}
	if h, p, err := net.SplitHostPort(at); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			return h, n
		}
	}
	return at, port
}
