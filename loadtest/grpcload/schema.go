package grpcload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that reflection speaks
	"google.golang.org/grpc/metadata"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Schema knows the messages of services, so that they can be written as JSON. It may be used from many goroutines.
type Schema struct{ files *protoregistry.Files }

// ReadProtoSet reads a FileDescriptorSet, as protoc --include_imports --descriptor_set_out writes it.
func ReadProtoSet(data []byte) (*Schema, error) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(data, set); err != nil || len(set.GetFile()) == 0 {
		return nil, errors.New("this is no set of descriptors; protoc --include_imports --descriptor_set_out=FILE makes one")
	}
	return newSchema(set)
}

func newSchema(set *descriptorpb.FileDescriptorSet) (*Schema, error) {
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("put the descriptors together: %w", err)
	}
	return &Schema{files: files}, nil
}

// shape is the messages of a method.
type shape struct {
	in, out protoreflect.MessageDescriptor
}

// find looks up /package.Service/Method.
func (s *Schema) find(method string) (*shape, error) {
	service, name := splitMethod(method)
	found, err := s.files.FindDescriptorByName(protoreflect.FullName(service))
	of, ok := found.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		return nil, fmt.Errorf("the descriptors have no service %s", service)
	}
	m := of.Methods().ByName(protoreflect.Name(name))
	switch {
	case m == nil:
		var names []string
		for i := range of.Methods().Len() {
			names = append(names, string(of.Methods().Get(i).Name()))
		}
		return nil, fmt.Errorf("the service %s has no method %s; it has %s", service, name, strings.Join(names, ", "))
	case m.IsStreamingClient() || m.IsStreamingServer():
		return nil, fmt.Errorf("the method %s streams, and only unary calls are measured", name)
	}
	return &shape{in: m.Input(), out: m.Output()}, nil
}

func splitMethod(method string) (service, name string) {
	service, name, _ = strings.Cut(strings.TrimPrefix(method, "/"), "/")
	return service, name
}

// encode makes a message of JSON.
func (s *shape) encode(text []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(s.in)
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("make a %s of the JSON: %w", s.in.FullName(), err)
	}
	return proto.Marshal(m)
}

// decode writes a message as JSON without blanks; fields that were not set have their default.
func (s *shape) decode(message []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(s.out)
	if err := proto.Unmarshal(message, m); err != nil {
		return nil, fmt.Errorf("read the answer as a %s: %w", s.out.FullName(), err)
	}
	text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write the answer as JSON: %w", err)
	}
	var tight bytes.Buffer // protojson puts in blanks by chance
	if err := json.Compact(&tight, text); err != nil {
		return nil, fmt.Errorf("write the answer as JSON: %w", err)
	}
	return tight.Bytes(), nil
}

// Ready asks the target by server reflection for the messages of calls that are written as JSON and not known from
// Config.Schema. Without such calls it does nothing. It has to be called before the first user is made.
func (c *Client) Ready(ctx context.Context) error {
	for i := range c.calls {
		k := &c.calls[i]
		if !k.json || k.shape != nil {
			continue
		}
		schema, err := c.reflect(ctx, k.method)
		if err != nil {
			return err
		}
		if err := k.know(schema); err != nil {
			return UnfitError{err}
		}
	}
	return nil
}

// UnfitError is a call that does not fit what the target says of its service.
type UnfitError struct{ Err error }

// Error implements error.
func (e UnfitError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e UnfitError) Unwrap() error { return e.Err }

// asking is a stream of reflection, of either version.
type asking interface {
	Send(request *reflection.ServerReflectionRequest) error
	Recv() (*reflection.ServerReflectionResponse, error)
}

// elder speaks the version that servers had before: its messages are the same on the wire.
type elder struct{ grpc.ClientStream }

// Send implements asking.
func (e elder) Send(r *reflection.ServerReflectionRequest) error { return e.SendMsg(r) }

// Recv implements asking.
func (e elder) Recv() (*reflection.ServerReflectionResponse, error) {
	r := &reflection.ServerReflectionResponse{}
	return r, e.RecvMsg(r)
}

// reflect asks for the files that describe the service of a method.
func (c *Client) reflect(ctx context.Context, method string) (*Schema, error) {
	l, err := c.connect()
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.conn.Close() }() // it was for asking only
	ctx, stop := context.WithTimeout(ctx, c.config.ConnectTimeout)
	defer stop()
	if _, err := l.ready(ctx); err != nil {
		return nil, fmt.Errorf("reach %s: %w", c.config.Address, err)
	}
	ctx = metadata.NewOutgoingContext(ctx, c.header)
	codec := grpc.ForceCodecV2(encoding.GetCodecV2("proto"))
	service, _ := splitMethod(method)
	stream, err := reflection.NewServerReflectionClient(l.conn).ServerReflectionInfo(ctx, codec)
	if err == nil {
		var set *descriptorpb.FileDescriptorSet
		if set, err = filesOf(stream, service); err == nil {
			return newSchema(set)
		}
	}
	if status.Code(err) == codes.Unimplemented {
		old, oldErr := l.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, grpc_reflection_v1alpha.ServerReflection_ServerReflectionInfo_FullMethodName, codec)
		if err = oldErr; err == nil {
			var set *descriptorpb.FileDescriptorSet
			if set, err = filesOf(elder{old}, service); err == nil {
				return newSchema(set)
			}
		}
	}
	if status.Code(err) == codes.Unimplemented {
		return nil, fmt.Errorf("%s has no server reflection, so nobody says what the message of %s is like: "+
			"give its descriptors (--proto-set, proto_set), or the bytes of the message", c.config.Address, method)
	}
	return nil, fmt.Errorf("ask %s by server reflection what %s is like: %s", c.config.Address, service, said(err))
}

// said is the first line of an error, without what gRPC says around it.
func said(err error) string {
	text := err.Error()
	if answer, ok := status.FromError(err); ok {
		text = answer.Message()
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// maxFiles bounds what a server may describe.
const maxFiles = 1000

// filesOf collects the files of a symbol with all that they import.
func filesOf(stream asking, symbol string) (*descriptorpb.FileDescriptorSet, error) {
	set := &descriptorpb.FileDescriptorSet{}
	have := map[string]bool{}
	request := &reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: symbol}}
	for {
		if err := add(stream, request, set, have); err != nil {
			return nil, err
		}
		missing := ""
		for _, f := range set.GetFile() {
			for _, name := range f.GetDependency() {
				if !have[name] {
					missing = name
				}
			}
		}
		if missing == "" {
			return set, nil
		}
		if len(have) > maxFiles {
			return nil, fmt.Errorf("the description has more than %d files", maxFiles)
		}
		request = &reflection.ServerReflectionRequest{MessageRequest: &reflection.ServerReflectionRequest_FileByFilename{FileByFilename: missing}}
	}
}

// add asks once and adds the files that are new. An answer without one is an error, or the asking would have no end.
func add(stream asking, request *reflection.ServerReflectionRequest, set *descriptorpb.FileDescriptorSet, have map[string]bool) error {
	if err := stream.Send(request); err != nil {
		if _, why := stream.Recv(); why != nil {
			return why // Send only says that the stream is over
		}
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	if refused := answer.GetErrorResponse(); refused != nil {
		return fmt.Errorf("it says %q", refused.GetErrorMessage())
	}
	before := len(have)
	for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		f := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal(raw, f); err != nil {
			return fmt.Errorf("read a descriptor: %w", err)
		}
		if !have[f.GetName()] {
			have[f.GetName()] = true
			set.File = append(set.File, f)
		}
	}
	if len(have) == before {
		return errors.New("it describes nothing")
	}
	return nil
}
