package health_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"holdfast/health"
	"holdfast/test/port"
)

func TestTCPIsUpWhenTheConnectionIsAccepted(t *testing.T) {
	t.Parallel()
	stuck := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	odd := func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("tunnel\nis\x00down")
	}
	tests := []struct {
		name, addr string
		dial       health.Dialer
		ok         bool
		reason     string
	}{
		{"accepted", listen(t, func(net.Conn) {}), nil, true, "connect: accepted"},
		{"refused", port.Refusing(t), nil, false, "connect: connection refused"},
		{"stuck", "127.0.0.1:1", stuck, false, "connect: no answer within 50ms"},
		{"other error", "127.0.0.1:1", odd, false, "connect: tunnel is down"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := health.TCPConfig{Address: test.addr, DialContext: test.dial}
			if test.name == "stuck" {
				c.Timeout = 50 * time.Millisecond
			}
			check, err := health.NewTCP(c)
			if err != nil {
				t.Fatal(err)
			}
			want(t, check.Check(t.Context()), test.ok, test.reason)
		})
	}
}

func TestAddressesAreValidated(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "localhost", "localhost:", "::1:80"} {
		if _, err := health.NewTCP(health.TCPConfig{Address: address}); err == nil {
			t.Errorf("NewTCP takes %q", address)
		}
		if _, err := health.NewGRPC(health.GRPCConfig{Address: address}); err == nil {
			t.Errorf("NewGRPC takes %q", address)
		}
	}
}
