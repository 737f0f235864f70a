package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // a machine may have none

	"holdfast/autoscale/schedule"
)

func berlin(tb testing.TB) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

// when reads a time in a zone.
func when(t *testing.T, text string, zone *time.Location) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestAWindowIsOpenForItsLength(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cron string
		long time.Duration
		at   string
		open bool
	}{
		{"0 8 * * mon-fri", 10 * time.Hour, "2026-11-20 08:00:00", true}, // a Friday
		{"0 8 * * mon-fri", 10 * time.Hour, "2026-11-20 07:59:59", false},
		{"0 8 * * mon-fri", 10 * time.Hour, "2026-11-20 17:59:59", true},
		{"0 8 * * mon-fri", 10 * time.Hour, "2026-11-20 18:00:00", false},
		{"0 8 * * 1-5", 10 * time.Hour, "2026-11-21 12:00:00", false},
		{"0 22 * * fri", 60 * time.Hour, "2026-11-22 12:00:00", true}, // over days
		{"0 22 * * fri", 60 * time.Hour, "2026-11-23 10:00:00", false},
		{"*/15 * * * *", time.Minute, "2026-11-20 10:30:30", true},
		{"*/15 * * * *", time.Minute, "2026-11-20 10:31:00", false},
		{"5/20 * * * *", time.Minute, "2026-11-20 10:45:00", true},
		{"0 0 1 JAN *", 24 * time.Hour, "2027-01-01 23:00:00", true},
		{"0 0 1 jan *", 24 * time.Hour, "2027-02-01 00:00:00", false},
		{"0 9 13 * fri", time.Hour, "2026-11-13 09:30:00", true}, // both
		{"0 9 13 * fri", time.Hour, "2026-11-20 09:30:00", true}, // a Friday
		{"0 9 13 * fri", time.Hour, "2026-12-13 09:30:00", true}, // a 13th
		{"0 9 13 * fri", time.Hour, "2026-11-19 09:30:00", false},
		{"0 9 * * 7", time.Hour, "2026-11-22 09:00:00", true}, // Sunday by its other number
		{"0 9 * * 0", time.Hour, "2026-11-22 09:00:00", true},
		{"0,30 6-8,20 * * *", time.Minute, "2026-11-22 20:30:00", true},
		{"0 0 29 2 *", time.Hour, "2028-02-29 00:30:00", true},
		{"0 0 31 * *", 31 * 24 * time.Hour, "2026-11-30 12:00:00", true}, // since October
	} {
		w, err := schedule.Parse(c.cron, berlin(t), c.long)
		if err != nil {
			t.Errorf("%s: %v", c.cron, err)
			continue
		}
		if got := w.Open(when(t, c.at, berlin(t))); got != c.open {
			t.Errorf("%q for %s at %s: open is %v", c.cron, c.long, c.at, got)
		}
	}
}

// In Berlin, clocks went from 2:00 to 3:00 on 29 March 2026, and from 3:00 to
// 2:00 on 25 October.
func TestClocksThatChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cron, opened string // UTC
	}{
		{"30 1 29 3 *", "2026-03-29 00:30:00"},
		{"30 2 29 3 *", "2026-03-29 01:30:00"}, // 2:30 was left out: 3:30
		{"0 3 29 3 *", "2026-03-29 01:00:00"},
		{"0 8 29 3 *", "2026-03-29 06:00:00"},
		{"30 1 25 10 *", "2026-10-24 23:30:00"},
		{"30 2 25 10 *", "2026-10-25 00:30:00"}, // the first of the two
		{"0 3 25 10 *", "2026-10-25 02:00:00"},
		{"0 8 25 10 *", "2026-10-25 07:00:00"},
	} {
		w, err := schedule.Parse(c.cron, berlin(t), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		want := when(t, c.opened, time.UTC)
		for _, later := range []time.Duration{0, 59 * time.Minute, 8 * time.Hour} {
			if got, ok := w.Opened(want.Add(later)); !ok || !got.Equal(want) {
				t.Errorf("%q opened at %s, %v; want %s", c.cron, got.UTC(), ok, want)
			}
		}
		if w.Open(want.Add(-time.Second)) || !w.Open(want) || w.Open(want.Add(time.Hour)) {
			t.Errorf("%q is not open for just an hour from %s on", c.cron, want)
		}
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for cron, says := range map[string]string{
		"":                  "must have five fields",
		"* * * *":           "it has 4",
		"60 * * * *":        `minute: "60" must be a number from 0 to 59`,
		"* 24 * * *":        "hour",
		"* * 0 * *":         "day of the month",
		"* * * foo *":       "month",
		"* * * * 8":         "day of the week",
		"*/0 * * * *":       "the step",
		"* * * * fri-mon":   "goes backwards",
		"1,,2 * * * *":      "minute",
		"-1 * * * *":        "minute",
		"* * * * * *":       "it has 6",
		"1-2-3 * * * *":     "minute",
		"99999999999 1 1 1": "five fields",
	} {
		if _, err := schedule.Parse(cron, time.UTC, time.Hour); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", cron, err, says)
		}
	}
	if _, err := schedule.Parse("* * * * *", nil, time.Hour); err == nil {
		t.Error("no zone was taken")
	}
	for _, long := range []time.Duration{0, -1, 32 * 24 * time.Hour} {
		if _, err := schedule.Parse("* * * * *", time.UTC, long); err == nil {
			t.Errorf("%s was taken", long)
		}
	}
}

// What Open says is what looking at every minute says, where clocks do not
// change.
func FuzzOpen(f *testing.F) {
	f.Add("*/7 3-5 * * mon", uint32(1_000_000), uint16(90))
	f.Add("0 0 1,15 * *", uint32(77_777_777), uint16(3000))
	f.Add("59 23 31 12 0", uint32(9), uint16(1))
	f.Fuzz(func(t *testing.T, cron string, at uint32, minutes uint16) {
		long := time.Duration(minutes%5000) * time.Minute
		w, err := schedule.Parse(cron, time.UTC, long)
		if err != nil {
			return
		}
		one, err := schedule.Parse(cron, time.UTC, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(int64(at), 0).UTC()
		open := false
		for back := time.Duration(0); back < long && !open; back += time.Minute {
			open = one.Open(now.Add(-back))
		}
		if got := w.Open(now); got != open {
			t.Errorf("%q for %s at %s: %v, minute by minute %v", cron, long, now, got, open)
		}
	})
}

func ExampleParse() {
	w, err := schedule.Parse("0 8 * * mon-fri", time.UTC, 10*time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	friday := time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)
	fmt.Println(w.Open(friday), w.Open(friday.Add(24*time.Hour)))
	// Output: true false
}
