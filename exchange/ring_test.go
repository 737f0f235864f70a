package exchange_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

func TestTheRingKeepsTheLastAndTheRemarkable(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	r.m = exchange.NewMachine(exchange.MachineConfig{Records: 100})
	r.route(exchange.Route{Path: "/", Host: "a", Function: r.f})
	begin := func(id string) *client { return r.begin(exchange.Request{ID: id, Host: "a"}) }

	begin("failed").status(404).done(exchange.Outcome{Kind: retry.Reset}).end()
	slow := begin("slow")
	r.pass(time.Second)
	slow.finish()
	begin("retried").fails(retry.Reset).finish()
	health(r, 2) // all down: panic, so they are still asked
	begin("gone").gone()
	for n := range 1000 {
		r.pass(time.Millisecond)
		begin(fmt.Sprintf("good-%d", n)).finish()
		r.begin(exchange.Request{ID: fmt.Sprintf("lost-%d", n), Host: "nowhere"}).answers(exchange.ReasonNoRoute, 404).end()
	}

	ring := r.m.Records()
	for _, id := range []string{"failed", "slow", "retried", "gone", "good-999", "good-950", "lost-950"} {
		rec, ok := ring.Find(id)
		if !ok || rec.ID.String() != id {
			t.Errorf("%s is not found", id)
			continue
		}
		if err := rec.Replay(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if rec, _ := ring.Find("retried"); rec.N != 2 || rec.Attempts[1].Instance == nil {
		t.Error("the second attempt of a record that is kept in full is lost")
	}
	for _, id := range []string{"good-949", "lost-949", "never"} {
		if _, ok := ring.Find(id); ok {
			t.Errorf("%s is found", id)
		}
	}

	list := ring.Last(30, nil)
	if len(list) != 30 || list[0].ID.String() != "lost-999" || list[1].ID.String() != "good-999" {
		t.Fatalf("%d records, the latest %s and %s", len(list), &list[0].ID, &list[1].ID)
	}
	for n := range list[1:] {
		if list[n].Seq <= list[n+1].Seq {
			t.Errorf("record %d is not before %d", list[n].Seq, list[n+1].Seq)
		}
	}
	all := ring.Last(1<<20, nil)
	if len(all) != 104 {
		t.Errorf("%d records, want the last 100 and the 4 remarkable ones", len(all))
	}
	failed := ring.Last(10, func(f *exchange.Facts) bool { return f.Failed() && f.Function != nil })
	if len(failed) != 2 || failed[0].ID.String() != "gone" || failed[1].ID.String() != "failed" {
		t.Errorf("%d failed records", len(failed))
	}
	if n := len(ring.Last(0, nil)); n != 0 {
		t.Errorf("%d records, want none", n)
	}
}

func TestRecordsWithoutAnIDAreNotOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	var x exchange.Exchange
	for range 5 {
		r.m.Begin(&x, &exchange.Request{Path: "/"}, nil, r.now)
		x.End(r.now)
	}
	if n := len(r.m.Records().Last(10, nil)); n != 5 {
		t.Errorf("%d records, want 5", n)
	}
}

// A gateway that has failed for long enough keeps the last failures whole, and
// with them the last good ones.
func TestTheLastFailuresAndTheLastGoodOnesAreKeptWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, func(c *exchange.FunctionConfig) { c.Budget.Ratio = 10 })
	r.m = exchange.NewMachine(exchange.MachineConfig{Records: 100})
	r.route(exchange.Route{Function: r.f})
	for n := range 250 {
		x := r.get().fails(retry.Unreachable)
		if n%2 == 0 {
			x = x.fails(retry.Unreachable)
		}
		x.finish()
		r.get().finish()
	}
	list := r.m.Records().Last(1000, nil)
	if len(list) != 200 {
		t.Fatalf("%d records, want the last 100 of each kind", len(list))
	}
	for k := range list {
		rec := &list[k]
		for n := range rec.Attempts {
			if kept := rec.Attempts[n].Instance != nil; kept != (n < int(rec.N)) {
				t.Fatalf("record %d made %d attempts, but number %d is kept: %t", rec.Seq, rec.N, n+1, kept)
			}
		}
		if err := rec.Replay(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheRingIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := benchRig(t, 3, false)
	r.m = exchange.NewMachine(exchange.MachineConfig{Records: 16})
	r.route(exchange.Route{Function: r.f})
	var writers, readers sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		writers.Go(func() {
			var x exchange.Exchange
			q := exchange.Request{ID: "x", Path: "/", Method: "GET"}
			for n := range 3000 {
				step := r.m.Begin(&x, &q, nil, start)
				if n%3 == 0 {
					x.Done(step.Attempt, exchange.Outcome{Kind: retry.Reset}, start)
				}
				x.End(start)
			}
		})
		readers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				for _, rec := range r.m.Records().Last(20, nil) {
					if err := rec.Replay(); err != nil || rec.ID.String() != "x" {
						t.Errorf("record %q: %v", &rec.ID, err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	close(over)
	readers.Wait()
	list := r.m.Records().Last(1000, nil)
	if len(list) < 16 || list[0].Seq != 12_000 {
		t.Errorf("%d records, the latest has number %d", len(list), list[0].Seq)
	}
}

func TestAnExchangeAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of the process
	for name, limits := range map[string]bool{"plain": false, "breaker and limit": true} {
		r, q, now := benchRig(t, 10, limits), benchRequest(), start
		var x exchange.Exchange
		if n := testing.AllocsPerRun(2000, func() {
			now = now.Add(time.Millisecond)
			decide(r.m, &x, &q, now)
		}); n != 0 {
			t.Errorf("%s: %v allocations per exchange", name, n)
		}
	}
	r := newRig(t, 10, func(c *exchange.FunctionConfig) { c.Budget.Ratio = 10 })
	r.m = exchange.NewMachine(exchange.MachineConfig{Records: 64})
	r.route(exchange.Route{Function: r.f})
	q := benchRequest()
	var x exchange.Exchange
	again := func() {
		q.Draw++
		step := r.m.Begin(&x, &q, nil, start)
		step = x.Done(step.Attempt, exchange.Outcome{Kind: retry.Unreachable, Replayable: true}, start)
		x.Head(step.Attempt, exchange.Head{Status: 503}, start)
		x.End(start)
	}
	for range 64 { // then every slot has had room for a second attempt
		again()
	}
	if n := testing.AllocsPerRun(2000, again); n != 0 {
		t.Errorf("%v allocations per exchange with a retry", n)
	}
}
