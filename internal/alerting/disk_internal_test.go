package alerting

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/alerting/channel"
	"holdfast/internal/event"
)

// setting is a service that a test runs for a while, again and again.
type setting struct {
	dir      string
	view     func(now time.Time) View
	channels []channel.Channel
	notices  []Notice
}

func storeDown(now time.Time) View {
	return View{At: now, Store: Store{Down: true, Reason: "gone"}}
}

func (x *setting) service() *Service {
	return New(Config{
		Dir: x.dir, View: x.view, OnNotice: func(n Notice) { x.notices = append(x.notices, n) },
		Settings: Settings{Rules: BuiltIn(), Channels: x.channels, Pace: Pace{Wait: time.Second, Repeat: 4 * time.Hour}},
	})
}

// run runs a service, does something after a minute, and ends it after another.
func (x *setting) run(t *testing.T, meanwhile func(*Service)) {
	t.Helper()
	s := x.service()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	time.Sleep(time.Minute)
	synctest.Wait()
	if meanwhile != nil {
		meanwhile(s)
		time.Sleep(time.Minute)
		synctest.Wait()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func taking(*channel.Notification) error { return nil }

func failing(*channel.Notification) error { return errors.New("down") }

func refusing(*channel.Notification) error {
	return fmt.Errorf("%w: no such hook", channel.ErrRefused)
}

// heard are the rules a receiver was told of, with ! where they have ended.
func (r *receiver) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, n := range r.got {
		for _, a := range n.Alerts {
			if a.Ended.IsZero() {
				list = append(list, a.Rule)
			} else {
				list = append(list, a.Rule+"!")
			}
		}
	}
	return list
}

func (r *receiver) say(answer func(*channel.Notification) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func wantHeard(t *testing.T, r *receiver, want ...string) {
	t.Helper()
	if got := r.heard(); !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}

// A file where a directory must be is what a disk does that lets nobody make one.
func TestWhereTheDiskRefusesPeopleAreToldAllTheSame(t *testing.T) {
	t.Parallel()
	for name, blocked := range map[string]string{"no directory at all": "", "no queue": "queue/r", "no queues": "queue"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &setting{dir: filepath.Join(t.TempDir(), "alerts"), view: storeDown}
			path := filepath.Join(x.dir, blocked)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: taking}
				x.channels = []channel.Channel{r}
				x.run(t, func(s *Service) {
					wantHeard(t, r, StoreDown)
					if n := len(x.notices); n == 0 || n > 4 || x.notices[0].Kind != Unkept {
						t.Errorf("%d notices in a minute: %+v", n, x.notices)
					}
					if err := os.Remove(path); err != nil {
						t.Error(err)
					}
					r.say(failing)
					x.view = func(now time.Time) View { return View{At: now} }
					s.wake()
				})
			})
		})
	}
}

func TestWhatWaitedInMemoryIsOnTheDiskOnceItLetsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "r"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	q, err := openQueue(dir, "r", 0)
	if err == nil {
		t.Fatal("opened a file as a directory")
	}
	for i := range queueMemory + 1 {
		n := channel.Notification{ID: fmt.Sprint(i), Alerts: []channel.Alert{{Severity: channel.Warning}}}
		if i == 7 {
			n.Alerts[0].Severity = channel.Info
		}
		if err := q.put(&n); err == nil {
			t.Fatal("kept where nothing can be")
		}
	}
	if waiting, dropped := q.size(); waiting != queueMemory || dropped != 1 || q.flush() == nil {
		t.Errorf("%d wait, %d dropped", waiting, dropped)
	}
	first, done, err := q.head()
	if err != nil || first.ID != "0" {
		t.Fatalf("first %+v, %v", first, err)
	}
	done()
	if err := errors.Join(os.Remove(filepath.Join(dir, "r")), q.open(), q.flush()); err != nil {
		t.Fatal(err)
	}
	q.close()
	q, err = openQueue(dir, "r", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	n, _, err := q.head()
	if err != nil || n.ID != "1" {
		t.Errorf("first %+v, %v", n, err)
	}
	if left := q.spool.Stats().Records; left[0] != 0 || left[1] != queueMemory-1 {
		t.Errorf("left are %v of %v", left, lanes())
	}
}

// What is in memory only because the disk was full is lost with kill -9, so the
// Book on the disk must not say that it was told.
func TestWhatTheDiskDidNotTakeDoesNotCountAsTold(t *testing.T) {
	t.Parallel()
	x := &setting{dir: t.TempDir(), view: func(now time.Time) View { return View{At: now} }}
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: failing}
		x.channels = []channel.Channel{r}
		x.run(t, func(*Service) {
			if err := os.RemoveAll(filepath.Join(x.dir, "queue", "r")); err != nil { // nothing can be made in it any more
				t.Error(err)
			}
			x.view = storeDown
		})
	})
	k, err := readKept[kept](filepath.Join(x.dir, "alerts.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range k.States {
		if s.Told {
			t.Errorf("kept as told: %+v", s)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: taking}
		x.channels = []channel.Channel{r}
		x.run(t, nil)
		wantHeard(t, r, StoreDown)
	})
}

func TestADamagedQueueIsAReasonToTellAgain(t *testing.T) {
	t.Parallel()
	x := &setting{dir: t.TempDir(), view: storeDown}
	synctest.Test(t, func(t *testing.T) {
		x.channels = []channel.Channel{&receiver{answer: failing}}
		x.run(t, nil)
	})
	files, err := filepath.Glob(filepath.Join(x.dir, "queue", "r", "warning-*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("store"), []byte("xxxxx")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: taking}
		x.channels = []channel.Channel{r}
		x.run(t, nil)
		wantHeard(t, r, StoreDown)
		x.run(t, nil)
		wantHeard(t, r, StoreDown) // once
	})
}

func TestWhatAChannelRefusedIsToldOnceItTakesNotificationsAgain(t *testing.T) {
	t.Parallel()
	for name, mend := range map[string]func(t *testing.T, x *setting, s *Service) *receiver{
		"its receiver was mended": func(t *testing.T, x *setting, s *Service) *receiver {
			t.Helper()
			r := x.channels[0].(*receiver)
			r.say(taking)
			if err := s.Test(t.Context(), "r", "me"); err != nil {
				t.Error(err)
			}
			return r
		},
		"its address was mended": func(_ *testing.T, _ *setting, s *Service) *receiver {
			r := &receiver{answer: taking}
			s.Configure(Settings{Rules: BuiltIn(), Channels: []channel.Channel{r}, Pace: s.settings.Pace})
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &setting{dir: t.TempDir(), view: storeDown}
			synctest.Test(t, func(t *testing.T) {
				x.channels = []channel.Channel{&receiver{answer: refusing}}
				x.run(t, func(s *Service) {
					r := mend(t, x, s)
					time.Sleep(10 * time.Second)
					synctest.Wait()
					got := slices.DeleteFunc(r.heard(), func(rule string) bool { return rule == "test" })
					if !slices.Equal(got, []string{StoreDown}) {
						t.Errorf("told of %v", got)
					}
				})
			})
		})
	}
	t.Run("over a restart", func(t *testing.T) {
		t.Parallel()
		x := &setting{dir: t.TempDir(), view: storeDown}
		synctest.Test(t, func(t *testing.T) {
			bad := &receiver{answer: refusing}
			x.channels = []channel.Channel{bad}
			x.run(t, nil)
			tried := len(bad.tries)
			x.run(t, nil) // it still refuses
			if n := len(bad.tries) - tried; n != 1 {
				t.Errorf("tried %d times after a restart, want once", n)
			}
			r := &receiver{answer: taking}
			x.channels = []channel.Channel{r}
			x.run(t, nil)
			wantHeard(t, r, StoreDown)
		})
	})
}

func TestANewChannelIsToldWhatFires(t *testing.T) {
	t.Parallel()
	x := &setting{dir: t.TempDir(), view: storeDown}
	synctest.Test(t, func(t *testing.T) {
		x.run(t, func(s *Service) {
			r := &receiver{answer: taking}
			s.Configure(Settings{Rules: BuiltIn(), Channels: []channel.Channel{r}, Pace: s.settings.Pace})
			time.Sleep(10 * time.Second)
			synctest.Wait()
			wantHeard(t, r, StoreDown)
		})
	})
}

func TestAClockThatWasWrongSilencesNobodyAndTurnsNothingRound(t *testing.T) {
	t.Parallel()
	b := bookOf(BuiltIn()...)
	b.pace = Pace{Interval: time.Minute, Repeat: time.Hour}
	ahead := start.Add(4 * 365 * day)
	b.Look([]Finding{{Rule: BreakerOpen, Function: "a"}}, ahead)
	b.Tell(ahead)
	b.Look(nil, ahead.Add(time.Second))
	b.Look(nil, ahead.Add(time.Minute)) // it is over, four years from now
	var k kept
	b.keep(&k)
	text, err := encodeKept(&k)
	if err != nil {
		t.Fatal(err)
	}
	next := bookOf(BuiltIn()...)
	next.pace = b.pace
	var read kept
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	next.restore(&read, start)
	wrong := []Finding{{Rule: Errors, Function: "a"}}
	told := 0
	for at := range 5 { // a cause that is over explains for two minutes
		next.Look(wrong, start.Add(time.Duration(at)*time.Minute))
		for _, n := range next.Tell(start.Add(time.Duration(at) * time.Minute)) {
			for _, a := range n.Alerts {
				if a.Rule == Errors {
					told++
				}
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times within five minutes", told)
	}
	dir := t.TempDir()
	far := uint64(ahead.UnixNano())
	q, err := openQueue(dir, "r", far)
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string, s channel.Severity) {
		if err := q.put(&channel.Notification{ID: id, Alerts: []channel.Alert{{Severity: s}}}); err != nil {
			t.Fatal(err)
		}
	}
	put("first", channel.Warning)
	last := q.last()
	q.close()
	if q, err = openQueue(dir, "r", last); err != nil {
		t.Fatal(err)
	}
	defer q.close()
	put("second", channel.Critical)
	if n, _, err := q.head(); err != nil || n.ID != "first" {
		t.Errorf("first comes %+v, %v", n, err)
	}
}

func TestFiguresThatAreNoNumbersKeepNothingFromBeingKept(t *testing.T) {
	t.Parallel()
	b := bookOf(Rule{Name: "x"})
	b.Look([]Finding{{Rule: "x", Numbers: map[string]float64{"a": math.NaN(), "b": math.Inf(1), "c": 1}}}, start)
	var k kept
	b.keep(&k)
	if _, err := encodeKept(&k); err != nil || len(b.states[fingerprint("x", "", "", "")].Numbers) != 1 {
		t.Error(err)
	}
}

// latency is an objective that every second request breaks, once a minute 60.
func latencyView(requests *uint64) func(time.Time) View {
	return func(now time.Time) View {
		*requests += 60
		all := *requests
		return View{At: now, Functions: []Function{{Name: "a", Available: 1, Count: func(time.Duration) (uint64, uint64) { return all, all / 2 }}}}
	}
}

func TestAnObjectiveOfLatencyGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rule := Rule{Name: "fast", Objective: &Objective{Percent: 99, Slow: 300 * time.Millisecond}}
	var requests uint64
	begin := func(slow time.Duration) *Service {
		r := rule
		r.Objective = &Objective{Percent: 99, Slow: slow}
		s := New(Config{Dir: dir, View: latencyView(&requests), Events: event.NewBus(1), Settings: Settings{Rules: []Rule{r}}})
		if err := s.take(start); err != nil {
			t.Fatal(err)
		}
		return s
	}
	within := func(s *Service, window time.Duration) (all, bad uint64, known float64) {
		return s.budgets.of["fast a"].within(window)
	}
	s := begin(300 * time.Millisecond)
	for m := range 90 {
		s.look(start.Add(time.Duration(m) * time.Minute))
	}
	hour, bad, _ := within(s, time.Hour)
	days, _, knownDays := within(s, 3*day)
	_ = s.lock.Close() // killed: what was kept with the last minute is all there is
	requests = 0
	at := start.Add(90 * time.Minute)
	s = begin(300 * time.Millisecond)
	s.look(at)
	if all, b, known := within(s, time.Hour); known != 1 || all+60 < hour || all > hour || b+30 < bad {
		t.Errorf("the last hour has %d of %d, before the restart %d of %d", b, all, bad, hour)
	}
	if all, _, known := within(s, 3*day); all+120 < days || known < knownDays*0.99 {
		t.Errorf("three days have %d, known %v, before the restart %d and %v", all, known, days, knownDays)
	}
	_ = s.lock.Close()
	s = begin(time.Second) // what was slower than another limit is not known
	s.look(at)
	if all, _, _ := within(s, time.Hour); all != 0 {
		t.Errorf("%d requests of another objective", all)
	}
	_ = s.lock.Close()
}

func TestCountsFromAheadEndNow(t *testing.T) {
	t.Parallel()
	r := newRing(1, 60)
	r.restore(stepsKept{Last: start.Add(365*day).Unix() / 60, All: []uint64{10, 20}, Bad: []uint64{1, 2}}, start)
	if all, bad, _ := r.within(time.Hour); r.last != start.Unix()/60 || all != 30 || bad != 3 {
		t.Errorf("%d of %d, the last at %d", bad, all, r.last)
	}
}

// FuzzKept reads whatever a disk makes of the files: nothing stops the telling.
func FuzzKept(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, `[]`, `{"states":[null,{}],"over":[null,{"fingerprint":"x"}],"groups":{"a":null,"":{}},"ends":{"x":[],"y":["2099-01-01T00:00:00Z"]}}`,
		`{"states":[{"fingerprint":"f","rule":"x","severity":"bad","began":"2099-01-01T00:00:00Z","pending":true}],"silences":[{"until":"2099-01-01T00:00:00Z","rule":"["}]}`,
		`{"channels":["a"],"owed":{"r":"0001-01-01T00:00:00Z"},"refused":{"r":""},"number":18446744073709551615}`,
		`{"slo a":{"slow":300000000,"fine":{"last":-5,"all":[1,2],"bad":[1]},"coarse":{"last":9223372036854775807,"all":[18446744073709551615],"bad":[0]}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := bookOf(Rule{Name: "x"})
		var k kept
		if json.Unmarshal(text, &k) == nil {
			b.restore(&k, start)
			l := newLedger()
			l.restore(&k)
			l.owes("r", start)
		}
		counts := map[string]countsKept{}
		if json.Unmarshal(text, &counts) == nil {
			for _, c := range counts {
				x := newBudget()
				x.fine.restore(c.Fine, start)
				x.coarse.restore(c.Coarse, start)
				x.count(start, 1, 1)
				x.within(time.Hour)
			}
		}
		b.Look([]Finding{{Rule: "x", Function: "fuzz"}}, start)
		heard := false
		for at := range 5 {
			for _, n := range b.Tell(start.Add(time.Duration(at) * time.Minute)) {
				for i := range n.Alerts {
					heard = heard || n.Alerts[i].Function == "fuzz"
				}
			}
			b.Look([]Finding{{Rule: "x", Function: "fuzz"}}, start.Add(time.Duration(at+1)*time.Minute))
		}
		if len(b.silences) == 0 && !heard && len(b.groups) < 50 && len(b.states) < 50 {
			t.Errorf("nobody was told: %s", text)
		}
	})
}
