package http1

import (
	"net"
	"testing"
)

// A burst needs much at once, and few things all the time after it.
func TestALoopKeepsNoMoreThanItNeedsAfterABurst(t *testing.T) {
	t.Parallel()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l, err := NewLoops(LoopsConfig{}).newLoop(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	atOnce := func(n int) {
		var buffers, tails [][]byte
		var flights []*flight
		for range n {
			buffers, tails, flights = append(buffers, l.buffer()), append(tails, l.tail(tailBuffer)), append(flights, l.flight(&client{}))
		}
		for i := range n {
			l.putBuffer(buffers[i])
			l.putTail(tails[i])
			l.putFlight(flights[i])
		}
	}
	atOnce(2 * maxFree)
	if b, s, f := len(l.buffers.free), len(l.tails.free), len(l.flights.free); b != maxFree || s != maxTails || f != maxFree {
		t.Fatalf("after the burst %d buffers, %d tails and %d flights are kept", b, s, f)
	}
	const always = 8
	for range 15 * trimEvery {
		atOnce(always)
		l.sweep()
	}
	if b, s, f := len(l.buffers.free), len(l.tails.free), len(l.flights.free); b != always || s != always || f != always {
		t.Errorf("two minutes later %d buffers, %d tails and %d flights are kept, %d are needed", b, s, f, always)
	}
}
