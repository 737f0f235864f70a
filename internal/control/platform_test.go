package control_test

import (
	"errors"
	"slices"
	"testing"

	"holdfast/internal/control"
)

func TestAPlatformThatRemembersTheNumberIsAskedForIt(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.run()
	s.scaling = control.Scaling{Platform: "docker-swarm", Remembers: true, Wanted: 2, Ready: 2, Max: 3}
	v, err := s.control.Scale(t.Context(), me, "public", "up", 0, "sale")
	if err != nil || v.Before != 2 || v.After != 3 || v.Action == nil || !v.Action.Success {
		t.Fatalf("%+v %v", v, err)
	}
	if o := s.control.State().Orders("public"); o.Count != nil {
		t.Errorf("the platform remembers the number, and %+v is in force too", o.Count)
	}
	if !slices.Equal(s.ordered, []int{3}) {
		t.Errorf("the platform was asked for %v", s.ordered)
	}
	if list := s.audit(); list[0].Action != "function.scale" || list[0].Error != "" {
		t.Errorf("the audit log has %+v", list[0])
	}
	_, err = s.control.Scale(t.Context(), me, "public", "up", 0, "")
	s.refused(err, control.Conflict, "3 instances at most")
	s.orderErr = errors.New("somebody else scales it")
	_, err = s.control.Scale(t.Context(), me, "public", "down", 0, "")
	s.refused(err, control.Conflict, "somebody else scales it")
	if list := s.audit(); list[0].Error == "" {
		t.Errorf("the refusal is not in the audit log: %+v", list[0])
	}
}

func TestAnOrderThatAPlatformDoesNotTakeFailsWithItsReason(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.run()
	s.scaling = control.Scaling{Platform: "process", Configured: 2, Wanted: 2, Ready: 2, Max: 5, Trouble: "the disk is full"}
	v, err := s.control.Scale(t.Context(), me, "public", "", 4, "")
	if err != nil || v.Action == nil || v.Action.ErrorMessage != "the disk is full" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestARollbackIsForPlatformsThatKnowVersions(t *testing.T) {
	t.Parallel()
	s := open(t, pair()...)
	s.scaling = control.Scaling{Platform: "process"}
	_, err := s.control.Rollback(t.Context(), me, "public", "")
	s.refused(err, control.Conflict, "cannot be rolled back")
	s.scaling = control.Scaling{Platform: "kubernetes", Remembers: true, Wanted: 2}
	v, err := s.control.Rollback(t.Context(), me, "public", "it is slow")
	if err != nil || v.From != "v2" {
		t.Fatalf("%+v %v", v, err)
	}
	if list := s.audit(); list[0].Action != "function.rollback" || list[0].Target != "public" || list[0].Error != "" {
		t.Errorf("the audit log has %+v", list[0])
	}
	s.orderErr = errors.New("no earlier version is known")
	_, err = s.control.Rollback(t.Context(), me, "public", "")
	s.refused(err, control.Conflict, "no earlier version is known")
	_, err = s.control.Rollback(t.Context(), me, "nobody", "")
	s.refused(err, control.NotFound, "nobody")
}
