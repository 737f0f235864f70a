package fault_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/fault"
)

func within(t *testing.T, what string, got, want, tolerance time.Duration) {
	t.Helper()
	if d := got - want; d < -tolerance || d > tolerance {
		t.Errorf("%s took %s, want %s", what, got, want)
	}
}

func TestLatencyDelaysEachDirection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		faults string
		want   time.Duration
	}{
		{"latency=200ms", 400 * time.Millisecond},
		{"up.latency=200ms", 200 * time.Millisecond},
		{"down.latency=50ms, up.latency=10ms", 60 * time.Millisecond},
		{"down.latency=50ms, down.latency=30ms", 80 * time.Millisecond},
		{"", 0},
	} {
		t.Run(c.faults, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, client, stop := virtual(t, echo, fault.Config{Faults: parse(t, c.faults)})
				defer stop()
				began := time.Now()
				if err := ask(client, "hello"); err != nil {
					t.Fatal(err)
				}
				within(t, "a round trip", time.Since(began), c.want, 0)
			})
		})
	}
}

func TestLatencyDelaysButDoesNotThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, stop := virtual(t, echo, fault.Config{Faults: parse(t, "up.latency=1s")})
		defer stop()
		began := time.Now()
		for range 50 {
			if _, err := io.WriteString(client, "x"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(client, make([]byte, 50)); err != nil {
			t.Fatal(err)
		}
		within(t, "50 pieces sent together", time.Since(began), time.Second, 0)
	})
}

func TestJitterStaysInItsRangeKeepsTheOrderAndIsTheSeeds(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (delays []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			_, client, stop := virtual(t, echo, fault.Config{Seed: seed, Faults: parse(t, "up.latency=100ms~50ms")})
			defer stop()
			for range 20 {
				began := time.Now()
				if err := ask(client, "hello"); err != nil {
					t.Fatal(err)
				}
				delays = append(delays, time.Since(began))
			}
		})
		return delays
	}
	one, again, other := run(1), run(1), run(2)
	same := 0
	for i, d := range one {
		if d < 50*time.Millisecond || d > 150*time.Millisecond {
			t.Errorf("delay %s is not in 100ms~50ms", d)
		}
		if again[i] != d {
			t.Errorf("delay %d: %s, and with the same seed %s", i, d, again[i])
		}
		if other[i] == d {
			same++
		}
	}
	if same > 2 {
		t.Errorf("another seed gave %d of 20 delays again", same)
	}
}

func TestBandwidthIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, client, stop := virtual(t, echo, fault.Config{Faults: parse(t, "down.bandwidth=16KiB/s")})
		defer stop()
		began := time.Now()
		go func() { _, _ = io.WriteString(client, strings.Repeat("x", 64<<10)) }()
		if _, err := io.ReadFull(client, make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
		within(t, "64 KiB at 16 KiB/s", time.Since(began), 4*time.Second, 100*time.Millisecond)
	})
}

func TestSliceMakesSmallWritesWithPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sizes := make(chan int, 100)
		handle := func(c net.Conn) {
			buf := make([]byte, 1024)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				sizes <- n
			}
		}
		_, client, stop := virtual(t, handle, fault.Config{Faults: parse(t, "slice=10B~4B/5ms")})
		defer stop()
		began := time.Now()
		if _, err := client.Write(make([]byte, 200)); err != nil {
			t.Fatal(err)
		}
		sum, pieces := 0, 0
		for sum < 200 {
			n := <-sizes
			sum, pieces = sum+n, pieces+1
			if n > 14 || n < 6 && sum != 200 {
				t.Errorf("a piece of %d bytes", n)
			}
		}
		within(t, "slicing", time.Since(began), time.Duration(pieces-1)*5*time.Millisecond, 0)
	})
}

func TestTheTimelineAddsFaultsForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one, err := fault.ParseStep("at 10s for 5s: up.latency=1s")
		if err != nil {
			t.Fatal(err)
		}
		two, err := fault.ParseStep("at 12s: up.latency=100ms")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		p, client, stop := virtual(t, echo, fault.Config{Timeline: []fault.Step{one, two}, Faults: parse(t, "down.latency=10ms")})
		defer stop()
		for _, c := range []struct{ at, want time.Duration }{
			{5 * time.Second, 10 * time.Millisecond},
			{10500 * time.Millisecond, 1010 * time.Millisecond},
			{13 * time.Second, 1110 * time.Millisecond},
			{16 * time.Second, 110 * time.Millisecond},
		} {
			time.Sleep(c.at - time.Since(began))
			asked := time.Now()
			if err := ask(client, "hello"); err != nil {
				t.Fatal(err)
			}
			within(t, "a round trip at "+c.at.String(), time.Since(asked), c.want, 0)
		}
		events, _ := p.Events()
		var changes []time.Duration
		for _, e := range events {
			if e.Conn == 0 {
				changes = append(changes, e.At.Sub(began))
			}
		}
		if len(changes) != 3 || changes[0] != 10*time.Second || changes[1] != 12*time.Second || changes[2] != 15*time.Second {
			t.Errorf("the log has changes at %v, want 10s, 12s, 15s", changes)
		}
	})
}

func TestAnIdleConnectionIsResetWhenItIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client, stop := virtual(t, echo, fault.Config{Faults: parse(t, "reset=2s")})
		defer stop()
		began := time.Now()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("read = %v, want the end", err)
		}
		within(t, "the reset", time.Since(began), 2*time.Second, 0)
		if !noted(p, "reset=2s: connection reset") {
			t.Errorf("events: %q", notes(p))
		}
	})
}

func TestABlackholeLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client, stop := virtual(t, echo, fault.Config{Faults: parse(t, "blackhole")})
		defer stop()
		got := make(chan error, 1)
		began := time.Now()
		go func() { got <- ask(client, "hello") }()
		time.Sleep(time.Minute)
		select {
		case err := <-got:
			t.Fatalf("an answer through the blackhole (%v)", err)
		default:
		}
		if err := p.Set(); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
		within(t, "the answer", time.Since(began), time.Minute, 0)
	})
}

func TestFaultsThatAreTakenBackEndAtOnce(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"latency=1h", "bandwidth=1B/s", "slice=1B/1h", "reset=5B/1h"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, client, stop := virtual(t, echo, fault.Config{Faults: parse(t, text)})
				defer stop()
				got := make(chan error, 1)
				began := time.Now()
				go func() { got <- ask(client, "hello, nobody") }()
				time.Sleep(time.Second)
				if err := p.Set(); err != nil {
					t.Fatal(err)
				}
				if err := <-got; err != nil {
					t.Error(err)
				}
				within(t, "the answer", time.Since(began), time.Second, 0)
			})
		})
	}
}
