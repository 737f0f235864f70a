package platformtest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"holdfast/internal/platform"
)

func scaledUp(w *watched) {
	t := w.t
	first := w.running(1)
	release := func() {}
	if w.Hold != nil {
		release = w.Hold(t)
	}
	from := w.count()
	w.order(platform.Order{Instances: 2})
	if w.Hold != nil {
		w.await("the new instance is starting", func(o *platform.Observation) bool {
			return o.Desired == 2 && len(o.Instances) == 2 && slices.ContainsFunc(o.Instances, starting)
		})
	}
	release()
	o := w.running(2)
	for _, i := range o.Instances {
		answers(t, i)
	}
	if !slices.Contains(ids(o.Instances), first.Instances[0].ID) {
		t.Errorf("%s is not among %v: an instance was replaced", first.Instances[0].ID, ids(o.Instances))
	}
	if w.Driver.Capabilities().BootEstimate {
		w.await("how long a start takes", func(o *platform.Observation) bool { return o.Boot > 0 })
	}
	for _, x := range w.since(from) {
		if x.err == nil && len(x.o.Instances) == 0 {
			t.Error("while it was scaled, the service was told as one without instances")
		}
	}
}

func starting(i platform.Instance) bool { return i.State == platform.Starting }

func scaledDown(w *watched) {
	t := w.t
	w.running(1)
	w.order(platform.Order{Instances: 3})
	three := w.running(3)
	victims := ids(three.Instances)[:2]
	w.order(platform.Order{Instances: 1, Victims: victims})
	left := w.running(1).Instances[0]
	if !slices.Contains(ids(three.Instances), left.ID) {
		t.Errorf("%s is left, which was not there before: %v", left.ID, ids(three.Instances))
	}
	if w.Driver.Capabilities().PickVictim && slices.Contains(victims, left.ID) {
		t.Errorf("%s is left, and should have gone", left.ID)
	}
	answers(t, left)
}

func paused(w *watched) {
	t := w.t
	if !w.Driver.Capabilities().Pause {
		refused(t, "Scale to 0", func() error { return w.Driver.Scale(t.Context(), platform.Order{}) })
		return
	}
	w.running(1)
	w.order(platform.Order{})
	w.await("nothing is left", func(o *platform.Observation) bool { return o.Desired == 0 && len(o.Instances) == 0 })
	w.order(platform.Order{Instances: 1})
	answers(t, w.running(1).Instances[0])
}

// sameNumber asks for another number afterwards: once that is there, whatever
// the first order did would have shown too.
func sameNumber(w *watched) {
	t := w.t
	first := w.running(1)
	w.order(platform.Order{Instances: 1})
	w.order(platform.Order{Instances: 2})
	o := w.running(2)
	at := slices.IndexFunc(o.Instances, func(i platform.Instance) bool { return i.ID == first.Instances[0].ID })
	if at < 0 {
		t.Fatalf("%s was replaced: %v", first.Instances[0].ID, ids(o.Instances))
	}
	if o.Version != first.Version || o.Instances[at].Restarts != first.Instances[0].Restarts {
		t.Errorf("it was %+v and is %+v", first, o)
	}
}

func nonsense(w *watched) {
	t := w.t
	w.running(1)
	if err := w.Driver.Scale(t.Context(), platform.Order{Instances: -1}); err == nil {
		t.Error("-1 instances were accepted")
	}
	w.running(1)
}

// rivals: each order is carried out or refused with ErrConflict, and the last
// word holds.
func rivals(w *watched) {
	t := w.t
	if w.SetReplicas == nil {
		t.Log("left out: there is no SetReplicas")
		return
	}
	w.running(1)
	ctx, stop := context.WithTimeout(t.Context(), w.Slowest)
	defer stop()
	errs := make(chan error, 1)
	go func() {
		defer close(errs)
		for n := range 10 {
			errs <- w.Driver.Scale(ctx, platform.Order{Instances: 1 + n%2})
		}
	}()
	n := 0
	for err := range errs {
		if err != nil && !errors.Is(err, platform.ErrConflict) {
			t.Errorf("an order ended with %v", err)
		}
		w.SetReplicas(t, 1+(n+1)%2)
		n++
	}
	w.order(platform.Order{Instances: 2})
	w.running(2)
}

// foreignWriter puts the number back each time it was changed, as a deployment
// tool does that applies its files.
func foreignWriter(w *watched) {
	t := w.t
	if w.SetReplicas == nil {
		t.Log("left out: there is no SetReplicas")
		return
	}
	w.running(1)
	for range 3 {
		w.order(platform.Order{Instances: 2})
		w.await("the order shows", func(o *platform.Observation) bool { return o.Desired == 2 || o.Owner != "" })
		w.SetReplicas(t, 1)
		w.await("somebody else's number shows", func(o *platform.Observation) bool { return o.Desired == 1 })
	}
	w.await("somebody else is told of", func(o *platform.Observation) bool { return o.Owner != "" })
}

func gone(w *watched) {
	t := w.t
	if w.Remove == nil {
		t.Log("left out: there is no Remove")
		return
	}
	w.running(1)
	from := w.count()
	w.Remove(t)
	w.awaitTold("the service is told as gone", func(x *told) bool { return errors.Is(x.err, platform.ErrGone) })
	if err := w.Driver.Scale(t.Context(), platform.Order{Instances: 2}); !errors.Is(err, platform.ErrGone) {
		t.Errorf("an order for a service that is gone ends with %v", err)
	}
	for _, x := range w.since(from) {
		if x.err == nil && x.o.Desired == 0 {
			t.Error("a service that is gone was told as one without instances")
		}
	}
}

// refused: what is not declared cannot be done, and the error says so.
func refused(t *testing.T, what string, do func() error) {
	t.Helper()
	if err := do(); !errors.Is(err, platform.ErrUnsupported) {
		t.Errorf("%s is not among the capabilities and ends with %v", what, err)
	}
}
