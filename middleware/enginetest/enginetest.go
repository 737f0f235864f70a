// Package enginetest is the conformance suite of engines: what moves bytes
// between clients and instances as an exchange.Machine decides. Every engine
// passes the same tests:
//
//	func TestConformance(t *testing.T) { enginetest.Run(t, start) }
//
// where start puts a gateway in front of the instances of a configuration. The
// suite plays the client and the instances, over loopback or, where time
// matters, over memory on virtual time. It looks at bytes on both sides and at
// the records of the exchanges, never into the engine.
package enginetest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/exchange"
	"holdfast/middleware"
)

// Start serves the functions of c on ln. It registers with t.Cleanup what ends
// the gateway and all of its goroutines.
type Start func(t *testing.T, c middleware.Config, ln net.Listener) Gateway

// Gateway is what the suite sees of a running gateway.
type Gateway struct {
	// Function returns a function by name.
	Function func(name string) *exchange.Function
	// Records are those of the exchanges.
	Records *exchange.Ring
	// TLS is what clients use with it; nil: none.
	TLS *tls.Config
	// Cut ends the exchanges under way, as a server does whose time for
	// shutting down is over.
	Cut func()
}

// StartHandler is the Start of engines that are an http.Handler.
func StartHandler(t *testing.T, c middleware.Config, ln net.Listener) Gateway {
	t.Helper()
	h, err := middleware.New(c)
	if err != nil {
		t.Fatal(err)
	}
	base, cut := context.WithCancel(context.Background()) //nolint:usetesting // ended by Cut, not by the test
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return base }}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(func() {
		cut()
		_ = srv.Close() // tells of connections that were closed already
		serving.Wait()
		h.Close()
	})
	return Gateway{Function: h.Function, Records: h.Records(), Cut: cut}
}

type test struct {
	name string
	run  func(t *testing.T, start Start)
}

// Run runs the suite but for its heavy part.
func Run(t *testing.T, start Start) {
	t.Helper()
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"request", requestTests()},
		{"forwarding", forwardingTests()},
		{"trace", traceTests()},
		{"answer", answerTests()},
		{"local", localTests()},
		{"blame", blameTests()},
		{"upload", uploadTests()},
		{"stream", streamTests()},
		{"affinity", affinityTests()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, start)
				})
			}
		})
	}
	t.Run("time", func(t *testing.T) {
		t.Parallel()
		for _, c := range timeTests() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { c.run(t, start) })
			})
		}
	})
}

// RunHeavy runs what needs the machine for itself: many exchanges, large
// bodies, memory measurements. Nothing else may run in the process.
func RunHeavy(t *testing.T, start Start) {
	t.Helper()
	for _, c := range heavyTests() {
		t.Run(c.name, func(t *testing.T) { c.run(t, start) })
	}
}
