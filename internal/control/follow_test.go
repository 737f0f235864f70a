package control_test

import (
	"encoding/json"
	"testing"

	"holdfast/breaker"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/store"
)

func TestABreakerResetInTheStoreIsClosedHereAlsoWhenItWasForced(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	if err := s.control.OpenBreaker(t.Context(), me, "public", "bad data"); err != nil {
		t.Fatal(err)
	}
	// What holdfast_reset_breaker does to the order.
	if _, _, err := s.store.EditFunctionConfig(t.Context(), "public", "breaker.reset", "", me, func(c *store.FunctionConfig) error {
		c.Recovery = json.RawMessage(`{"operator":{}}`)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	entries := len(s.audit())
	if err := s.control.BreakerWasReset(t.Context(), me, "public"); err != nil {
		t.Fatal(err)
	}
	s.control.Enforce(s.fn)
	if got := s.fn.Breaker().State(); got != breaker.Closed {
		t.Errorf("the breaker is %s", got)
	}
	list := s.events.Since(0)
	if len(list) == 0 || list[len(list)-1].Kind != event.Action || list[len(list)-1].To != "breaker.reset" {
		t.Errorf("events %+v", list)
	}
	if got := len(s.audit()); got != entries {
		t.Errorf("%d entries in the audit log, want the %d there were: the database writes its own", got, entries)
	}
	s.refused(s.control.BreakerWasReset(t.Context(), me, "nothing"), control.NotFound, `no function "nothing"`)
}
