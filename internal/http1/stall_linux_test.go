package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"holdfast/exchange"
	"holdfast/internal/http1"
	"holdfast/retry"
)

// endless promises more than a test can read, and sends it.
func endless(c net.Conn, b *bufio.Reader) {
	if _, _, ok := request(b); !ok {
		return
	}
	_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", 1<<40)
	block := []byte(strings.Repeat("x", 64<<10))
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

func TestAClientThatIsTooSlowIsCutOff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ read, rate int64 }{
		"that reads too little":                           {1, 1 << 20},
		"whose system took more than it need read in 5 s": {0, 240},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{loops: http1.LoopsConfig{MinRate: test.rate}}, instance(t, endless))
			c := r.dial()
			_ = c.SetDeadline(time.Time{})
			c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			began, kept := time.Now(), []exchange.Record{}
			for ; len(kept) == 0 && time.Since(began) < 3*patience; time.Sleep(time.Millisecond) {
				_, _ = io.CopyN(io.Discard, c.Conn, test.read)
				kept = r.machine.Records().Last(1, nil)
			}
			if len(kept) == 0 {
				t.Fatal("it was not cut off")
			}
			last := kept[0]
			if took := time.Since(began); took < 5*time.Second {
				t.Errorf("it was cut off after %v, without any grace", took)
			}
			if a := last.Attempts[0]; last.Reason != exchange.ReasonClientSlow || a.Reason != exchange.ReasonClientSlow || a.Kind != retry.OK {
				t.Errorf("%v, attempt %v %v", last.Reason, a.Reason, a.Kind)
			}
			if stats := r.fn.Balancer().Stats(time.Now()); stats.Instances[0].Failures != 0 {
				t.Errorf("the instance is blamed: %+v", stats.Instances[0])
			}
		})
	}
}

// TestASlowClientMayBeAsSlowAsThat reads far less per second than the system
// keeps for it, so that nothing but its acknowledgements tells that it reads.
func TestASlowClientMayBeAsSlowAsThat(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{loops: http1.LoopsConfig{MinRate: 1 << 10}}, instance(t, endless))
	c := r.dial()
	_ = c.SetDeadline(time.Now().Add(2 * patience))
	c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for began := time.Now(); time.Since(began) < 8*time.Second; time.Sleep(100 * time.Millisecond) {
		if _, err := io.CopyN(io.Discard, c.Conn, 16<<10); err != nil {
			t.Fatalf("cut off after %v: %v", time.Since(began), err)
		}
	}
}
