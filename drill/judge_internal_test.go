package drill

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/loadtest"
)

// marks makes seconds: '.' is a good one, 'x' a bad one.
func marks(of string) []judged {
	list := make([]judged, len(of))
	for i := range of {
		list[i] = judged{from: float64(i), to: float64(i + 1), good: of[i] == '.'}
	}
	return list
}

func TestTimesToFailOverAndToRecoverAreFoundInTheSeconds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		seconds            string
		injected, reverted float64
		failover, recover  float64 // -1: not found
	}{
		{"..........", 2, 5, 0, 0},
		{"..xx......", 2, 5, 2, 0},
		{"..xx......", 2.5, 5, 1.5, 0},
		{"..xxxxx...", 2, 5, 5, 2},
		{"..xxxxx.x.", 2, 5, 5, -1},
		{"..xxxxxxxx", 2, 5, -1, -1},
		{"xx........", 2, 5, 0, 0},   // before the injection
		{"........x.", 2, 5, 0, 0},   // long after the revert
		{".....x....", 2, 5.5, 4, 1}, // the second in which it is reverted
	} {
		list := marks(test.seconds)
		v, ok := failover(list, test.injected, test.reverted)
		if want := test.failover; ok != (want >= 0) || ok && math.Abs(v-want) > 1e-9 {
			t.Errorf("%s: failover is %v, %t, want %v", test.seconds, v, ok, want)
		}
		v, ok = recovered(list, test.reverted)
		if want := test.recover; ok != (want >= 0) || ok && math.Abs(v-want) > 0.5+1e-9 {
			t.Errorf("%s: recover is %v, %t, want %v", test.seconds, v, ok, want)
		}
	}
}

func TestASecondIsGoodWithoutFailuresAndNearTheBaseline(t *testing.T) {
	t.Parallel()
	base := loadtest.Point{At: time.Second, Length: time.Second, Offered: 10, OK: 10, P99: 100 * time.Millisecond}
	slow, failed, few, late := base, base, base, base
	slow.P99, failed.Failed, few.OK = 300*time.Millisecond, 1, 4
	late.P99, late.TimerLagP99 = 300*time.Millisecond, 100*time.Millisecond
	list := goodSeconds([]loadtest.Point{base, slow, failed, few, late}, near(100*time.Millisecond, 250*time.Millisecond))
	if got := []bool{list[0].good, list[1].good, list[2].good, list[3].good, list[4].good}; !slices.Equal(got, []bool{true, false, false, false, true}) {
		t.Errorf("they are %v", got)
	}
	if near(time.Second, 250*time.Millisecond) != 1200*time.Millisecond {
		t.Error("a slow baseline has its own limit")
	}
}

func TestTheScoreIsZeroWhenAnythingIsLostOrDoneTwice(t *testing.T) {
	t.Parallel()
	x, err := Builtin("failover")
	if err != nil {
		t.Fatal(err)
	}
	figures := map[string]float64{"availability": 1, "failover": 0, "recover": 1, "inflation": 1, "amplification": 1, "residue": 0, "files": 0, "memory": 5, "leftover": 0, "duplicates": 0, "lost": 0}
	total := func() *Score { return score(&Result{Figures: figures}, x) }
	if s := total(); s.Total != 100 || s.Measured != 100 {
		t.Errorf("all is well: %+v", s)
	}
	figures["availability"] = 0.985 // expected are 99 %, and none of the points are left at 98 %
	if s := total(); math.Abs(s.Total-80) > 1e-6 {
		t.Errorf("half the points of availability: %+v", s)
	}
	delete(figures, "recover") // it never recovered, which is not the same as not measured
	if s := total(); math.Abs(s.Total-65) > 1e-6 || s.Measured != 100 {
		t.Errorf("no points to recover: %+v", s)
	}
	delete(figures, "inflation")
	if s := total(); s.Measured != 90 || math.Abs(s.Total-100*55.0/90) > 1e-6 {
		t.Errorf("inflation was not measured: %+v", s)
	}
	for _, name := range []string{"duplicates", "lost"} {
		figures[name] = 1
		if s := total(); s.Total != 0 || s.Zero == "" {
			t.Errorf("%s: %+v", name, s)
		}
		figures[name] = 0
	}
}

func TestImbalanceIsByWeight(t *testing.T) {
	t.Parallel()
	state := func(a, b uint64) *State {
		return &State{Instances: []Instance{{ID: "a", Active: true, Picks: a, Weight: 1}, {ID: "b", Active: true, Picks: b, Weight: 3}}}
	}
	for _, test := range []struct {
		a, b uint64
		want float64
	}{{100, 300, 1}, {200, 200, 2}, {0, 400, 4.0 / 3}} {
		if got, ok := imbalance(state(10, 10), state(10+test.a, 10+test.b)); !ok || math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%d to %d is %v, %t, want %v", test.a, test.b, got, ok, test.want)
		}
	}
	if _, ok := imbalance(state(1, 1), state(1, 1)); ok {
		t.Error("nothing was picked, and it was measured")
	}
}

// orders is a server that only notes orders.
type orders struct {
	Server

	got  []Order
	fail map[string]error // by instance
}

func (o *orders) Order(_ context.Context, x Order) error {
	if err := o.fail[x.Instance]; err != nil {
		return err
	}
	o.got = append(o.got, x)
	return nil
}

func TestWhatADeadDriverOrderedIsTakenBackLastFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &orders{fail: map[string]error{"b": errors.New("nobody answers"), "c": ErrRefused}}
	if done, err := TakeBack(t.Context(), s, dir); err != nil || len(done) != 0 {
		t.Fatalf("there is no journal: %v, %v", done, err)
	}
	j := &journal{path: journalPath(dir)}
	for _, id := range []string{"a", "b", "c", "d"} {
		if err := j.add(Order{Kind: Drain, Instance: id, Undo: true}); err != nil {
			t.Fatal(err)
		}
	}
	done, err := TakeBack(t.Context(), s, dir)
	if err == nil || len(done) != 2 || done[0].Instance != "d" || done[1].Instance != "a" {
		t.Errorf("taken back are %v, %v", done, err)
	}
	s.fail = nil
	if done, err = TakeBack(t.Context(), s, dir); err != nil || len(done) != 1 || done[0].Instance != "b" {
		t.Errorf("then %v, %v", done, err)
	}
	if done, err = TakeBack(t.Context(), s, dir); err != nil || len(done) != 0 {
		t.Errorf("nothing is left, and %v, %v", done, err)
	}
}

func TestAnOrderThatWasRefusedIsNotTakenBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		failure error
		kept    int
	}{{nil, 1}, {errors.New("nobody answers"), 1}, {ErrRefused, 0}} {
		s := &orders{fail: map[string]error{"a": test.failure}}
		r := &run{Config: Config{Server: s}, journal: &journal{path: journalPath(t.TempDir())}}
		kept := 0
		err := r.order(t.Context(), Order{Kind: Drain, Instance: "a"}, Order{Kind: Drain, Instance: "a", Undo: true}, func(undo) { kept++ })
		if !errors.Is(err, test.failure) || kept != test.kept || len(r.journal.left) != test.kept {
			t.Errorf("after %v: %v, %d kept, %v in the journal", test.failure, err, kept, r.journal.left)
		}
	}
}

func TestALedgerTellsWhatWasDoneTwiceAndWhatIsLost(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	c := &Config{Ledger: path}
	l := newLedger(c, time.Unix(1, 0))
	for seq := range int64(3) {
		l.note(seq + 1)
	}
	text := l.prefix + "1 a\n" + l.prefix + "2 a\n" + l.prefix + "2 b\n" + l.prefix + "9 b\nother-3 a\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	posts, duplicates, lost, err := l.read(t.Context())
	if err != nil || posts != 3 || duplicates != 1 || lost != 1 {
		t.Errorf("%d acknowledged, %d twice, %d lost, %v", posts, duplicates, lost, err)
	}
	c.Ledger += "-none"
	if _, _, _, err := l.read(t.Context()); err == nil {
		t.Error("a ledger that is not there was read")
	}
}
