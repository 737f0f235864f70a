package runs

import (
	"testing"
	"time"
)

func TestALineKeepsTheLastAndTellsOfAGap(t *testing.T) {
	t.Parallel()
	l := &Line{}
	wake, end := l.Subscribe()
	defer end()
	for range mostMoments + 1 {
		l.add(Moment{Kind: Note})
	}
	select {
	case <-wake:
	default:
		t.Error("nobody was woken")
	}
	list, missed, over := l.Since(0)
	if n := uint64(len(list)); n+missed != mostMoments+1 || n == 0 || missed == 0 || list[0].Seq != missed+1 || over {
		t.Errorf("%d kept from %d on, %d missed", n, list[0].Seq, missed)
	}
	last := list[len(list)-1].Seq
	if list, missed, _ := l.Since(last - 2); len(list) != 2 || missed != 0 || list[1].Seq != last {
		t.Errorf("the last two: %+v, %d missed", list, missed)
	}
	if list, _, _ := l.Since(last); len(list) != 0 {
		t.Errorf("behind the last: %+v", list)
	}
	l.end()
	if _, _, over := l.Since(last); !over {
		t.Error("it does not end")
	}
}

func TestFaultsThatAreOpenAreEndedOnce(t *testing.T) {
	t.Parallel()
	l := &Line{}
	for _, m := range []Moment{{Kind: FaultOn, Text: "a"}, {Kind: FaultOn, Text: "a"}, {Kind: FaultOn, Text: "b"}, {Kind: FaultOff, Text: "a"}} {
		l.add(m)
	}
	l.reverted(time.Now())
	l.reverted(time.Now())
	list, _, _ := l.Since(4)
	if _, faults := l.now(); len(list) != 2 || len(faults) != 0 {
		t.Errorf("ended: %+v, left: %v", list, faults)
	}
}

func TestTheGatewaysSecondIsWhatWasCountedInIt(t *testing.T) {
	t.Parallel()
	before := Counts{Exchanges: 100, Failed: 10, Attempts: 120}
	v := Counts{Exchanges: 300, Failed: 10, Attempts: 340, InFlight: 3, Available: 2}.since(before, 2)
	if v.Exchanges != 100 || v.Failed != 0 || v.Attempts != 110 || v.InFlight != 3 || v.Available != 2 {
		t.Errorf("%+v", v)
	}
	if v := (Counts{Exchanges: 5}).since(before, 1); v.Exchanges != 0 {
		t.Errorf("a function that was made anew: %+v", v)
	}
}
