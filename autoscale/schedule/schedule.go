// Package schedule says whether a time window that comes back is open: "from 8
// on every weekday in Berlin, for 10 hours". Its answers are what goes into
// autoscale.Signals.Schedules, since decisions know no time zones.
//
//	w, err := schedule.Parse("0 8 * * mon-fri", berlin, 10*time.Hour)
//	if w.Open(now) { signals.Schedules = append(signals.Schedules, "office hours") }
//
// When a window opens is written as in cron: minute, hour, day of the month,
// month, day of the week (0 or 7 is Sunday), each as *, numbers, ranges, lists
// and steps; months and weekdays also by the first three letters of their
// English names. When both kinds of days are restricted, either will do.
//
// On the day clocks go forward, an opening in the hour that is left out comes
// as much later as it lies in it: 2:30 is 3:30. On the day they go back, it comes
// once, in the first of the two hours. A window is as long as it is on both.
package schedule

import (
	"errors"
	"fmt"
	"time"
)

// longest bounds a window, and with it how far Open looks back.
const longest = 31 * 24 * time.Hour

// Window is a time window that comes back. It is not changed once made, and safe
// for concurrent use.
type Window struct {
	minutes, hours, days, months, weekdays field
	zone                                   *time.Location
	long                                   time.Duration
}

// Parse makes a window that opens at the times of a cron expression in a zone
// and stays open for a duration of at most 31 days.
func Parse(cron string, zone *time.Location, long time.Duration) (*Window, error) {
	if zone == nil {
		return nil, errors.New("read schedule: the time zone is missing")
	}
	if long <= 0 || long > longest {
		return nil, fmt.Errorf("read schedule: it must be open for more than 0 and at most %d hours, not %s", int(longest.Hours()), long)
	}
	w := &Window{zone: zone, long: long}
	if err := w.read(cron); err != nil {
		return nil, fmt.Errorf("read schedule %q: %w", cron, err)
	}
	return w, nil
}

// Open says whether the window is open: it opened at most its length ago.
func (w *Window) Open(now time.Time) bool {
	at, ok := w.Opened(now)
	return ok && now.Sub(at) < w.long
}

// Opened returns when the window last opened, if that was at most its length
// and a day ago.
func (w *Window) Opened(now time.Time) (at time.Time, ok bool) {
	earliest := now.Add(-w.long - 24*time.Hour)
	// A day further, since an opening may come later than the clock of its day.
	day := time.Date(now.In(w.zone).Year(), now.In(w.zone).Month(), now.In(w.zone).Day(), 12, 0, 0, 0, w.zone)
	for !day.Before(earliest.Add(-24 * time.Hour)) {
		if w.onDay(day) {
			if at, ok := w.last(day, now); ok {
				return at, !at.Before(earliest)
			}
		}
		day = day.AddDate(0, 0, -1)
	}
	return time.Time{}, false
}

func (w *Window) onDay(day time.Time) bool {
	if !w.months.has(int(day.Month())) {
		return false
	}
	of, on := w.days.has(day.Day()), w.weekdays.has(int(day.Weekday()))
	if w.days.all || w.weekdays.all {
		return of && on
	}
	return of || on
}

// last returns the last opening of a day that is not after now.
func (w *Window) last(day, now time.Time) (latest time.Time, ok bool) {
	found := 0
	// Three hours more, since later clocks may be earlier times where clocks go
	// forward.
	for hour := 23; hour >= 0 && (!ok || hour > found-3); hour-- {
		if !w.hours.has(hour) {
			continue
		}
		for minute := 59; minute >= 0; minute-- {
			if !w.minutes.has(minute) {
				continue
			}
			if at := clock(day, hour, minute); !at.After(now) && (!ok || at.After(latest)) {
				latest, found, ok = at, hour, true
			}
		}
	}
	return latest, ok
}

// clock is when the clocks of a day show a time, by the offset that held before
// a change where they never or twice do.
func clock(day time.Time, hour, minute int) time.Time {
	zone := day.Location()
	at := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, zone)
	_, before := at.Add(-3 * time.Hour).Zone()
	_, is := at.Zone()
	if before == is && at.Hour() == hour && at.Minute() == minute {
		return at
	}
	utc := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, time.UTC)
	if early := utc.Add(-time.Duration(before) * time.Second).In(zone); at.Hour() != hour || at.Minute() != minute || early.Hour() == hour && early.Minute() == minute {
		return early
	}
	return at
}
