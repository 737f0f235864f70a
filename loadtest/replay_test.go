package loadtest_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/schedule"
	"holdfast/loadtest/source"
)

// notebook is a Client that writes down when which request came.
type notebook struct {
	mu      sync.Mutex
	planned []time.Duration
	sent    []time.Duration
	which   [5]int // by the number of the request: those of one moment may come in any order
}

// NewUser implements loadtest.Client.
func (n *notebook) NewUser(int) (loadtest.User, error) { return scribe{n}, nil }

type scribe struct{ of *notebook }

// Do implements loadtest.User.
func (s scribe) Do(_ context.Context, shot *loadtest.Shot) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	shot.Written = max(shot.Now(), 1)
	s.of.planned, s.of.sent = append(s.of.planned, shot.Planned), append(s.of.sent, shot.Now())
	s.of.which[shot.Seq] = shot.Endpoint
}

// Interrupt implements loadtest.User.
func (scribe) Interrupt() {}

// Close implements loadtest.User.
func (scribe) Close() {}

const recorded = `1790000000.000 "GET /a HTTP/1.1" 200
1790000000.250 "GET /b HTTP/1.1" 200
1790000000.250 "GET /a HTTP/1.1" 200
1790000003.100 "GET /c HTTP/1.1" 200
1790000010.000 "GET /a HTTP/1.1" 200
`

func TestALogIsReplayedWithItsGaps(t *testing.T) {
	t.Parallel()
	for name, speed := range map[string]float64{"as it was": 1, "twice as fast": 2, "in slow motion": 0.5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := source.Replay(strings.NewReader(recorded), "http://h", speed)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				pages := &notebook{}
				got, err := loadtest.Run(t.Context(), loadtest.Config{
					Client: pages, Open: true, Order: r.Order, Endpoints: r.Endpoints, Pacing: loadtest.Coarse,
					Stages: []schedule.Stage{{Name: "replay", Shape: schedule.Listed, Times: r.Times, Duration: r.Length}},
				})
				if err != nil {
					t.Fatal(err)
				}
				var want []time.Duration
				for _, at := range []float64{0, 0.25, 0.25, 3.1, 10} {
					want = append(want, time.Duration(at/speed*1e9))
				}
				near := func(a, b time.Duration) bool { return (a - b).Abs() <= 2*time.Millisecond }
				if !slices.EqualFunc(pages.planned, want, func(a, b time.Duration) bool { return (a - b).Abs() <= time.Microsecond }) || !slices.EqualFunc(pages.sent, want, near) {
					t.Errorf("planned %v, sent %v, want %v", pages.planned, pages.sent, want)
				}
				if pages.which != [5]int{0, 1, 0, 2, 0} {
					t.Errorf("sent requests %v", pages.which)
				}
				if got.Target != 5 || got.Total.Counts[loadtest.OK] != 5 || got.Endpoints[0].Planned() != 3 {
					t.Errorf("%v due, counted %v, %d of the first", got.Target, got.Total.Counts, got.Endpoints[0].Planned())
				}
			})
		})
	}
}

func TestAListRefusesWhatItCannotHave(t *testing.T) {
	t.Parallel()
	list := schedule.Stage{Shape: schedule.Listed, Times: []time.Duration{0, 5}, Duration: time.Second}
	unordered, late := list, list
	unordered.Times = []time.Duration{5, 0}
	late.Times = []time.Duration{time.Second}
	for want, c := range map[string]loadtest.Config{
		"an open run: set Open":                     {Stages: []schedule.Stage{list}},
		"neither a warm-up":                         {Stages: []schedule.Stage{list}, Open: true, Warmup: time.Second},
		"the order names endpoint 7 of 1":           {Stages: []schedule.Stage{list}, Open: true, Order: []int32{7}},
		"the times of the list have to be in order": {Stages: []schedule.Stage{unordered}, Open: true},
		"in order, from 0 to before the end":        {Stages: []schedule.Stage{late}, Open: true},
		"the list has no times":                     {Stages: []schedule.Stage{{Shape: schedule.Listed, Duration: 1}}, Open: true},
		"only a list has times":                     {Stages: []schedule.Stage{{Times: list.Times, Duration: 1}}, Open: true},
		"a list has times, and no rate":             {Stages: []schedule.Stage{{Shape: schedule.Listed, Times: list.Times, Duration: 9, Rate: 1}}, Open: true},
	} {
		c.Client = &notebook{}
		if _, err := loadtest.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
