// Package traces_test has the real binary send traces to collectors that are
// played here, over both protocols.
package traces_test

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector.
type receiver struct {
	collector.UnimplementedTraceServiceServer

	mu      sync.Mutex
	spans   []*trace.Span
	service string
	key     string // that came along
	refuses int64  // spans of each batch, which it says of a quota
}

// answer is what the receiver says to a batch that it took.
func (c *receiver) answer() *collector.ExportTraceServiceResponse {
	if c.refuses == 0 {
		return &collector.ExportTraceServiceResponse{}
	}
	return &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: c.refuses, ErrorMessage: "a quota"}}
}

// Export implements the service of OTLP over gRPC.
func (c *receiver) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	key := ""
	if keys := in.Get("x-key"); len(keys) > 0 {
		key = keys[0]
	}
	c.take(r, key)
	return c.answer(), nil
}

func (c *receiver) take(r *collector.ExportTraceServiceRequest, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = key
	for _, of := range r.GetResourceSpans() {
		c.service = textOf(of.GetResource().GetAttributes(), "service.name")
		for _, scope := range of.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

// ServeHTTP is OTLP over HTTP.
func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	raw, err := io.ReadAll(body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(raw, &sent) != nil {
		http.Error(w, "that is no OTLP", http.StatusBadRequest)
		return
	}
	c.take(&sent, r.Header.Get("X-Key"))
	text, err := proto.Marshal(c.answer())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(text) // the client may leave
}

// listen starts the collector for a protocol.
func (c *receiver) listen(t *testing.T, protocol string) (endpoint string) {
	t.Helper()
	if protocol != "grpc" {
		srv := httptest.NewServer(c)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	collector.RegisterTraceServiceServer(srv, c)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Stop()
		<-ended
	})
	return "http://" + ln.Addr().String()
}

// of returns the spans of a trace that came so far.
func (c *receiver) of(id string) (server *trace.Span, attempts []*trace.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		switch {
		case hex.EncodeToString(s.GetTraceId()) != id:
		case s.GetKind() == trace.Span_SPAN_KIND_SERVER:
			server = s
		default:
			attempts = append(attempts, s)
		}
	}
	return server, attempts
}

func textOf(list []*common.KeyValue, key string) string {
	for _, kv := range list {
		if kv.GetKey() == key {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}

func numberOf(list []*common.KeyValue, key string) int64 {
	for _, kv := range list {
		if kv.GetKey() == key {
			return kv.GetValue().GetIntValue()
		}
	}
	return -1
}

func sampled(s *trace.Span) bool {
	for _, kv := range s.GetAttributes() {
		if kv.GetKey() == "holdfast.sampled" {
			return kv.GetValue().GetBoolValue()
		}
	}
	return false
}
