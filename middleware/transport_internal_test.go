package middleware

import (
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
)

// An exchange may have picked its instance just before its function was
// forgotten.
func TestNoConnectionsAreKeptForAFunctionThatIsGone(t *testing.T) {
	t.Parallel()
	fn, err := exchange.NewFunction(exchange.FunctionConfig{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(EngineConfig{Machine: exchange.NewMachine(exchange.MachineConfig{Records: 1})})
	fn.SetInstances([]*balancer.Instance{balancer.NewInstance(balancer.Spec{ID: "i", Endpoint: "http://127.0.0.1:1"})}, time.Now())
	if first := e.transport(fn); first != e.transport(fn) || first.DisableKeepAlives {
		t.Error("a function that is there does not keep its connections")
	}
	fn.SetInstances(nil, time.Now())
	e.Forget(fn)
	if !e.transport(fn).DisableKeepAlives || len(e.transports) != 0 {
		t.Errorf("%d transports are kept", len(e.transports))
	}
}
