package source_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/loadtest/source"
)

func TestARecordingHasTheTimesOfItsLog(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		log    string
		speed  float64
		times  []time.Duration
		order  []int32
		length time.Duration
	}{
		"whole seconds are spread": {
			`1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200
1 - - [10/Oct/2026:13:55:36 +0000] "GET /b HTTP/1.1" 200
1 - - [10/Oct/2026:13:55:38 +0000] "GET /a HTTP/1.1" 200`, 1, []time.Duration{0, 500 * ms, 2000 * ms}, []int32{0, 1, 0}, 3000 * ms,
		},
		"fractions are kept, and put in order": {
			`[::1] - - [2026-10-10T13:55:36.250Z] "GET /a HTTP/1.1" 200
[::1] - - [2026-10-10T15:55:36.100+02:00] "GET /b HTTP/1.1" 200
[::1] - - [2026-10-10T13:55:36.250Z] "GET /b HTTP/1.1" 200`, 1, []time.Duration{0, 150 * ms, 150 * ms}, []int32{1, 0, 1}, 151 * ms,
		},
		"twice as fast": {
			"1790000000.500 \"GET /a HTTP/1.1\"\n1790000001.7 \"HEAD /a HTTP/1.1\"\n1790000002.1 \"POST /a HTTP/1.1\"", 2,
			[]time.Duration{0, 600 * ms},
			[]int32{0, 1},
			600*ms + 500*time.Microsecond,
		},
		"a time in front": {"2026-10-10T13:55:36Z \"GET /a HTTP/1.1\"", 1, []time.Duration{0}, []int32{0}, 1000 * ms},
	} {
		r, err := source.Replay(strings.NewReader(c.log), "http://h", c.speed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(r.Times, c.times) || !slices.Equal(r.Order, c.order) || r.Length != c.length {
			t.Errorf("%s: %v %v, %v long, want %v %v, %v", name, r.Times, r.Order, r.Length, c.times, c.order, c.length)
		}
	}
}

func TestWhatIsNoRecordingIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		log   string
		speed float64
		want  string
	}{
		{`"GET /a HTTP/1.1"`, 1, "read the access log: there is no request in it that can be sent: their lines have no time"},
		{"", 1, "read the access log: there is no request in it that can be sent"},
		{"x", 0, "the speed is a number above 0 such as 2, not 0"},
		{"2026-10-10T13:55:36Z \"GET /a HTTP/1.1\"\n2029-10-10T13:55:36Z \"GET /a HTTP/1.1\"", 1, "read the access log: between its first and its last request is more than a year"},
	} {
		if _, err := source.Replay(strings.NewReader(c.log), "http://h", c.speed); err == nil || err.Error() != c.want {
			t.Errorf("%q: got %v, want %s", c.log, err, c.want)
		}
	}
}

// Any log: no panic, and times in order before the end, each of a request that is there.
func FuzzReplay(f *testing.F) {
	f.Add("1 - - [10/Oct/2026:13:55:36 +0000] \"GET /a HTTP/1.1\" 200\n1790000001.7 \"HEAD /a HTTP/1.1\"", 2.0)
	f.Add("[2026-10-10T13:55:36.250Z] \"GET /a HTTP/1.1\"", 1e-300)
	f.Fuzz(func(t *testing.T, log string, speed float64) {
		r, err := source.Replay(strings.NewReader(log), "http://h", speed)
		if err != nil {
			return
		}
		if !slices.IsSorted(r.Times) || r.Times[0] != 0 || r.Times[len(r.Times)-1] >= r.Length || len(r.Order) != len(r.Times) {
			t.Errorf("times %v of %v", r.Times, r.Length)
		}
		for _, n := range r.Order {
			if n < 0 || int(n) >= len(r.HTTP) {
				t.Errorf("request %d of %d", n, len(r.HTTP))
			}
		}
	})
}
