package drill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/fault/sysfault"
)

// step does what a step says, as often as it says, and returns when the last
// is taken back.
func (r *run) step(ctx context.Context, s *Step, zero time.Time) error {
	end := zero.Add(r.x.Fault)
	for at := zero.Add(s.At); at.Before(end); at = at.Add(s.Every) {
		if err := wait(ctx, at); err != nil {
			return err
		}
		until := end
		if s.For > 0 && at.Add(s.For).Before(end) {
			until = at.Add(s.For)
		}
		if err := r.once(ctx, s, until); err != nil {
			return err
		}
		if s.Every == 0 {
			break
		}
	}
	return nil
}

// once injects, waits until the time has come, and takes back, whatever ctx
// says then.
func (r *run) once(ctx context.Context, s *Step, until time.Time) error {
	injected := time.Now()
	what, revert, err := r.inject(ctx, s, time.Until(until)+spare)
	if err != nil {
		return errors.Join(err, revert(context.WithoutCancel(ctx)))
	}
	r.OnLine(what)
	fault := Fault{What: what, Injected: injected, Reverted: injected}
	r.OnFault(Fault{What: what, Injected: injected})
	var waited error
	if s.Do != Kill {
		waited = wait(ctx, until)
	}
	err = revert(context.WithoutCancel(ctx))
	if s.Do != Kill {
		fault.Reverted = time.Now()
	}
	if err == nil { // else it may still be in force
		r.OnFault(fault)
	}
	r.mu.Lock()
	r.faults = append(r.faults, fault)
	r.mu.Unlock()
	return errors.Join(waited, err)
}

type undo func(ctx context.Context) error

// inject does it; the returned undo is never nil.
func (r *run) inject(ctx context.Context, s *Step, atMost time.Duration) (what string, back undo, err error) {
	var backs []undo
	back = func(ctx context.Context) error {
		var failures []error
		for _, b := range backs {
			failures = append(failures, b(ctx))
		}
		return errors.Join(failures...)
	}
	keep := func(b undo) { backs = append(backs, b) }
	switch s.Do {
	case Scale:
		return r.scale(ctx, s, keep, back)
	case Set:
		return r.set(ctx, s, keep, back)
	case LoseStore:
		revert, err := r.LoseStore(ctx, r.driver, atMost)
		if err == nil {
			keep(r.storeBack(revert))
		}
		return "the state store is taken away", back, err
	case LoseDatabase:
		revert, err := r.LoseDatabase(ctx, r.driver, s.Text != "drop", atMost)
		if err == nil {
			keep(func(context.Context) error { return revert() })
		}
		return "the database is taken away", back, err
	case Kill, Freeze, CPU, Refuse, Drop, TCP, HTTP, Drain:
	}
	list, err := r.whom(ctx, s.Whom)
	var names []string
	for i := range list {
		if err == nil {
			err = r.hit(ctx, s, &list[i], atMost, keep)
			names = append(names, list[i].ID)
		}
	}
	what = string(s.Do) + " " + strings.Join(names, ", ")
	if s.Do == TCP || s.Do == HTTP {
		what += ": " + s.Text
	}
	return what, back, err
}

// whom are the instances a step is about, as they are now: one that was killed
// has another process.
func (r *run) whom(ctx context.Context, w Whom) ([]Instance, error) {
	s, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	wanted := r.targets
	switch {
	case w == One:
		wanted = wanted[:1]
	case w == Busiest:
		wanted = r.busiest
	case w == Another && len(wanted) > 1:
		wanted = wanted[1:2]
	case w == Another:
		return nil, errors.New("there is no other instance")
	}
	var list []Instance
	for _, t := range wanted {
		for _, i := range s.Instances {
			if i.ID == t.ID {
				list = append(list, i)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no instance %s any more", r.Function, wanted[0].ID)
	}
	return list, nil
}

// hit does it to one instance.
func (r *run) hit(ctx context.Context, s *Step, i *Instance, atMost time.Duration, keep func(undo)) error {
	switch s.Do {
	case Drain:
		return r.drain(ctx, i, keep)
	case TCP, HTTP:
		return r.between(ctx, s, i, atMost, keep)
	case Kill, Freeze, CPU, Refuse, Drop, Scale, Set, LoseStore, LoseDatabase:
	}
	f, err := s.fault(i)
	if err != nil {
		return err
	}
	revert, err := r.driver.Inject(ctx, f, atMost)
	if err == nil {
		keep(func(context.Context) error { return revert() })
	}
	return err
}

func (s *Step) fault(i *Instance) (sysfault.Fault, error) {
	process := sysfault.Target{PID: i.PID}
	switch s.Do {
	case Kill:
		return sysfault.Kill{Target: process}, nil
	case Freeze:
		return sysfault.Freeze{Target: process}, nil
	case CPU:
		return sysfault.CPU{Target: process, Percent: s.Value}, nil
	case Refuse, Drop, TCP, HTTP, Scale, Drain, Set, LoseStore, LoseDatabase:
	}
	p, err := port(i.Address)
	return sysfault.Network{Port: p, Refuse: s.Do == Refuse}, err
}

// order gives an order that is taken back even if this process ends.
func (r *run) order(ctx context.Context, o, back Order, keep func(undo)) error {
	if err := r.journal.add(back); err != nil {
		return err
	}
	given := r.Server.Order(ctx, o)
	if errors.Is(given, ErrRefused) { // then there is nothing to take back, and back might undo what somebody else ordered
		return errors.Join(given, r.journal.done(back))
	}
	keep(func(ctx context.Context) error {
		ctx, stop := context.WithTimeout(ctx, orderTime)
		defer stop()
		err := r.Server.Order(ctx, back)
		if err != nil && !errors.Is(err, ErrRefused) {
			return err // it stays in the journal
		}
		return errors.Join(err, r.journal.done(back))
	})
	return given
}

const orderTime = 30 * time.Second

func (r *run) scale(ctx context.Context, s *Step, keep func(undo), back undo) (string, undo, error) {
	s0, err := r.state(ctx)
	if err != nil {
		return "", back, err
	}
	before, taking := s0.Wanted, len(active(s0.Instances))
	o := Order{Kind: Scale, Function: r.Function, Count: before + s.Value}
	was := Order{Kind: Scale, Function: r.Function, Count: before, Undo: true}
	if err = r.order(ctx, o, was, keep); err == nil {
		var now *State
		if now, err = r.state(ctx); err == nil {
			r.mu.Lock()
			r.scaled = max(r.scaled, len(active(now.Instances))-taking)
			r.mu.Unlock()
		}
	}
	return fmt.Sprintf("%d instances more by order", s.Value), back, err
}

func (r *run) set(ctx context.Context, s *Step, keep func(undo), back undo) (string, undo, error) {
	o := Order{Kind: Set, Function: r.Function, Path: s.Path, Text: s.Text}
	gone := o
	gone.Undo = true
	return fmt.Sprintf("%s is set to %s", s.Path, s.Text), back, r.order(ctx, o, gone, keep)
}

// drain counts what reaches the instance all the same.
func (r *run) drain(ctx context.Context, i *Instance, keep func(undo)) error {
	from := uint64(0)
	keep(func(ctx context.Context) error {
		picks, err := r.picks(ctx, i.ID)
		if err == nil && picks >= from {
			r.mu.Lock()
			r.drains++
			r.astray += int64(picks - from) //nolint:gosec // a count of requests
			r.mu.Unlock()
		}
		return err
	})
	o := Order{Kind: Drain, Function: r.Function, Instance: i.ID}
	over := o
	over.Undo = true
	err := r.order(ctx, o, over, keep)
	if err == nil {
		from, err = r.picks(ctx, i.ID)
	}
	return err
}

func (r *run) picks(ctx context.Context, id string) (uint64, error) {
	s, err := r.Server.State(ctx, r.Function)
	if err != nil {
		return 0, err
	}
	for _, i := range s.Instances {
		if i.ID == id {
			return i.Picks, nil
		}
	}
	return 0, fmt.Errorf("%s has no instance %s any more", r.Function, id)
}

const storeUp = "up"

// storeBack gives the store back and measures how long the server takes to
// say so.
func (r *run) storeBack(revert func() error) undo {
	return func(ctx context.Context) error {
		if s, err := r.Server.State(ctx, r.Function); err == nil && s.Store == storeUp {
			r.OnLine("the server has not noticed that its store is gone")
		}
		if err := revert(); err != nil {
			return err
		}
		begun := time.Now()
		deadline := begun.Add(r.x.Recovery)
		for time.Now().Before(deadline) {
			if s, err := r.Server.State(ctx, r.Function); err == nil && s.Store == storeUp {
				took := time.Since(begun).Seconds()
				r.mu.Lock()
				r.storeT = &took
				r.mu.Unlock()
				return nil
			}
			if err := wait(ctx, time.Now().Add(spare/50)); err != nil {
				return err
			}
		}
		return nil // the figure is missing, and the expectation with it
	}
}
