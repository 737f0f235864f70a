package grpcload_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/template"
)

// describe serves health checks and says by reflection what they are like, as register does it.
func describe(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	h := grpchealth.NewServer()
	h.SetServingStatus("shop", grpc_health_v1.HealthCheckResponse_SERVING)
	h.SetServingStatus("cellar", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	grpc_health_v1.RegisterHealthServer(s, h)
	register(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // it ends by Stop
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return l.Addr().String()
}

// set is what protoc would write of the service of health checks.
func set(t *testing.T) []byte {
	t.Helper()
	b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(grpc_health_v1.File_grpc_health_v1_health_proto),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMessagesAreWrittenAsJSON(t *testing.T) {
	t.Parallel()
	schema, err := grpcload.ReadProtoSet(set(t))
	if err != nil {
		t.Fatal(err)
	}
	feed := &template.Feed{Columns: []string{"service"}, Rows: [][]string{{"shop"}, {"cellar"}}}
	for name, c := range map[string]struct {
		register func(*grpc.Server)
		schema   *grpcload.Schema
		json     string
		check    check.Check
	}{
		"by reflection":              {func(s *grpc.Server) { reflection.Register(s) }, nil, `{"service":"shop"}`, check.Check{JSON: "$.status", Equals: "SERVING"}},
		"by its elder version":       {func(s *grpc.Server) { reflection.Register(elder{s}) }, nil, `{"service":"shop"}`, check.Check{Equals: `{"status":"SERVING"}`}},
		"by descriptors":             {func(*grpc.Server) {}, schema, `{"service":"shop"}`, check.Check{JSON: "$.status", Equals: "SERVING"}},
		"with variables":             {func(s *grpc.Server) { reflection.Register(s) }, nil, `{"service":"{{service}}"}`, check.Check{JSON: "$.status", Matches: "SERVING$"}},
		"variables and descriptors":  {func(*grpc.Server) {}, schema, `{"service":"{{service}}"}`, check.Check{JSON: "$.status", Matches: "SERVING$"}},
		"an empty message, descri..": {func(*grpc.Server) {}, schema, `{}`, check.Check{JSON: "$.status", Equals: "SERVING"}},
	} {
		client, err := grpcload.New(grpcload.Config{
			Address: describe(t, c.register), Feed: feed, Schema: c.schema,
			Calls: []grpcload.Call{{Method: method, JSON: c.json, Checks: []check.Check{c.check}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Ready(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: 3, Requests: 60, Duration: time.Minute})
		if err != nil || r.Total.Counts[loadtest.OK] != 60 || len(client.Failed()) > 0 {
			t.Errorf("%s: %v, counted %v, checks %v, errors %v", name, err, r.Total.Counts, client.Failed(), r.Errors)
		}
	}
}

// elder lets only the elder version of reflection be registered, as servers of some years ago do.
type elder struct{ *grpc.Server }

// RegisterService implements grpc.ServiceRegistrar.
func (e elder) RegisterService(d *grpc.ServiceDesc, of any) {
	if d.ServiceName != "grpc.reflection.v1.ServerReflection" {
		e.Server.RegisterService(d, of)
	}
}

func TestWhatAServerDoesNotKnowIsTold(t *testing.T) {
	t.Parallel()
	address := describe(t, func(s *grpc.Server) { reflection.Register(s) })
	mute := describe(t, func(*grpc.Server) {})
	for want, c := range map[string]struct{ address, method, json string }{
		"the service grpc.health.v1.Health has no method Chek; it has Check, List, Watch": {address, "/grpc.health.v1.Health/Chek", "{}"},
		"the method Watch streams, and only unary calls are measured":                     {address, "/grpc.health.v1.Health/Watch", "{}"},
		"make a grpc.health.v1.HealthCheckRequest of the JSON: ":                          {address, method, `{"servce":1}`},
		"ask " + address + " by server reflection what shop.Till is like: it says ":       {address, "/shop.Till/Open", "{}"},
		mute + " has no server reflection, so nobody says what the message of ":           {mute, method, "{}"},
	} {
		client, err := grpcload.New(grpcload.Config{Address: c.address, Calls: []grpcload.Call{{Method: c.method, JSON: c.json}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		if err := client.Ready(ctx); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		stop()
	}
	client, err := grpcload.New(grpcload.Config{Address: address, Calls: []grpcload.Call{{Method: method, JSON: `{}`}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: 1, Requests: 2, Duration: time.Minute})
	if err != nil || r.Total.Counts[loadtest.OtherFailure] != 2 || !strings.Contains(r.Errors[loadtest.OtherFailure], "not known") {
		t.Errorf("without Ready: %v, counted %v, %v", err, r.Total.Counts, r.Errors)
	}
}

// Any bytes as descriptors and any text as a message: no panic, and what was made into a message can be read back.
func FuzzSchema(f *testing.F) {
	b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(grpc_health_v1.File_grpc_health_v1_health_proto),
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, `{"service":"x"}`)
	f.Add([]byte("\x0a\x00"), "{}")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		schema, err := grpcload.ReadProtoSet(data)
		if err != nil {
			return
		}
		_, err = grpcload.New(grpcload.Config{Address: "a:1", Schema: schema, Calls: []grpcload.Call{{Method: method, JSON: text}}})
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
