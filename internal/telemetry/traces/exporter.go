package traces

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
)

// The protocols.
const (
	ProtocolHTTP = "http/protobuf"
	ProtocolGRPC = "grpc"
)

// Collector says where traces go. What is empty the environment says: the
// OTEL_EXPORTER_OTLP_ variables, and OTEL_EXPORTER_OTLP_TRACES_ before them.
type Collector struct {
	Endpoint string // http://host:4318 or http://host:4317
	Protocol string
	Headers  map[string]string
}

// From fills in what the environment says and the exporters do not read themselves,
// and returns false where nobody wants traces.
func (c *Collector) From(env func(string) string) bool {
	if c.Protocol == "" {
		c.Protocol = cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), env("OTEL_EXPORTER_OTLP_PROTOCOL"), ProtocolHTTP)
	}
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	if exporter := env("OTEL_TRACES_EXPORTER"); c.Endpoint == "" && exporter != "" && exporter != "otlp" {
		return false
	}
	return cmp.Or(c.Endpoint, env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
}

// Open makes the exporter. It connects when there is something to send.
func (c *Collector) Open(ctx context.Context) (Exporter, error) {
	switch c.Protocol {
	case ProtocolHTTP:
		return c.openHTTP(ctx)
	case ProtocolGRPC:
		return c.openGRPC(ctx)
	}
	return nil, fmt.Errorf("protocol %q: want %s or %s", c.Protocol, ProtocolHTTP, ProtocolGRPC)
}

func (c *Collector) openHTTP(ctx context.Context) (Exporter, error) {
	var options []otlptracehttp.Option
	if c.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(c.path()))
	}
	if len(c.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(c.Headers))
	}
	e, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("open the exporter: %w", err)
	}
	return e, nil
}

// path adds the place where collectors listen for traces to an endpoint that names
// none, as the environment's variable has it.
func (c *Collector) path() string {
	_, rest, _ := strings.Cut(c.Endpoint, "://")
	if _, path, _ := strings.Cut(rest, "/"); path == "" {
		return strings.TrimSuffix(c.Endpoint, "/") + "/v1/traces"
	}
	return c.Endpoint
}

func (c *Collector) openGRPC(ctx context.Context) (Exporter, error) {
	var options []otlptracegrpc.Option
	if c.Endpoint != "" {
		options = append(options, otlptracegrpc.WithEndpointURL(c.Endpoint))
	}
	if len(c.Headers) > 0 {
		options = append(options, otlptracegrpc.WithHeaders(c.Headers))
	}
	e, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("open the exporter: %w", err)
	}
	return e, nil
}

// partialSuccess is how the exporters word that a collector took what it was sent,
// but for some spans or with a warning; the type of that error is theirs alone.
var partialSuccess = regexp.MustCompile(`(?s)^(?:traces export: )?OTLP partial success: (.*) \((\d+) spans rejected\)$`)

// answered reads a partial success; false: err is none.
func answered(err error) (refused int, why string, ok bool) {
	if err == nil {
		return 0, "", false
	}
	parts := partialSuccess.FindStringSubmatch(err.Error())
	if parts == nil {
		return 0, "", false
	}
	refused, err = strconv.Atoi(parts[2])
	return refused, parts[1], err == nil
}

// brief shortens what a collector says, which may be a whole page.
func brief(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " ..."
}
