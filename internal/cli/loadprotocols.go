package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/loadtest/anyload"
	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/pgload"
)

// protocolFlags say what is sent over what is not HTTP/1.1, which the scheme of the URL says.
type protocolFlags struct {
	http2             bool
	connUsers         int
	message, answer   string
	binary, echo      bool
	data, protoSet    string
	query, statements string
	params            []string
}

func (f *protocolFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.BoolVar(&f.http2, "http2", false, "HTTP/2: over TLS for https, with prior knowledge for http")
	fs.IntVar(&f.connUsers, "conn-users", 0, "users that share a connection of HTTP/2 or gRPC (default 1)")
	fs.StringVar(&f.message, "message", "", "ws: the message to send, with variables")
	fs.BoolVar(&f.binary, "binary", false, "ws: send it as a binary message")
	fs.BoolVar(&f.echo, "echo", false, "ws: the answer is the message itself (else: the next one that comes)")
	fs.StringVar(&f.answer, "answer", "", "ws: the answer is the next message in which this expression matches")
	fs.StringVar(&f.data, "data", "", "grpc: the message as JSON; --body-file gives its bytes instead")
	fs.StringVar(&f.protoSet, "proto-set", "", "grpc: file with descriptors (protoc --descriptor_set_out), in place of reflection")
	fs.StringVar(&f.query, "query", "", "postgres: the statement, with $1, $2 for --param")
	fs.StringArrayVar(&f.params, "param", nil, "postgres: value of $1, then of $2 ..., with variables; may be given more than once")
	fs.StringVar(&f.statements, "statements", "", "postgres: how they are sent: extended, prepared or simple (default extended)")
}

// single says that one of the flags is for a single URL.
func (f *protocolFlags) single() bool {
	return f.message != "" || f.answer != "" || f.binary || f.echo || f.data != "" || f.query != "" || len(f.params) > 0
}

// request puts into r what the flags say is sent.
func (f *protocolFlags) request(r *anyload.Request, kind anyload.Kind) error {
	for _, x := range []struct {
		flag, text, schemes string
		of                  anyload.Kind
	}{
		{"--message", f.message, "ws:// and wss://", anyload.WebSocket},
		{"--data", f.data, "grpc:// and grpcs://", anyload.GRPC},
		{"--query", f.query, "postgres://", anyload.Query},
	} {
		switch {
		case x.text == "":
		case kind != x.of:
			return fmt.Errorf("%s is for %s, not for %s", x.flag, x.schemes, anyload.Redacted(r.URL))
		case r.Body != "":
			return fmt.Errorf("give either --body, --body-file or %s", x.flag)
		case kind == anyload.GRPC:
			r.Data = x.text
		default:
			r.Body = x.text
		}
	}
	r.Binary, r.Echo, r.Answer, r.Args = f.binary, f.echo, f.answer, f.params
	if kind == anyload.WebSocket && r.Body == "" {
		return errors.New("say what to send: --message TEXT")
	}
	return nil
}

// transport puts into t how connections are used.
func (f *protocolFlags) transport(t *target) (err error) {
	t.to.HTTP2 = t.to.HTTP2 || f.http2
	if f.connUsers < 0 {
		return fmt.Errorf("--conn-users %d: want 1 or more", f.connUsers)
	}
	if f.connUsers > 0 {
		t.to.UsersPerConn = f.connUsers
	}
	if f.statements != "" {
		if t.to.Statements, err = pgload.ParseProtocol(f.statements); err != nil {
			return fmt.Errorf("--statements: %w", err)
		}
	}
	if f.protoSet == "" {
		return nil
	}
	data, err := readFile(f.protoSet)
	if err != nil {
		return err
	}
	if t.to.Schema, err = grpcload.ReadProtoSet(data); err != nil {
		return fmt.Errorf("%s: %w", f.protoSet, err)
	}
	return nil
}
