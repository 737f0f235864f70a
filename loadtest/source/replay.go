package source

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recording is requests with the moments at which they came.
type Recording struct {
	Requests

	// Times are after the first request, in order; Order says which of HTTP each of them is.
	Times []time.Duration
	Order []int32
	// Length is until a moment after the last: the rest of its second where the log has whole seconds only.
	Length time.Duration
}

// maxTimes bounds a Recording: each request of it is held in memory, with twelve bytes.
const maxTimes = 5_000_000

// came is a request of a log.
type came struct {
	at time.Time
	of *counted
}

// Replay reads an access log as Log does, with the moments at which its requests came: in brackets, as servers write them
// ([10/Oct/2026:13:55:36 +0000], also with a fraction, or in the form of RFC 3339), or at the begin of the line in that form or
// as seconds since 1970 with a fraction. Requests that came in the same second of a log without fractions are spread evenly over
// it: that they all came at its begin is the one thing that is known to be wrong. Speed divides all times.
func Replay(in io.Reader, target string, speed float64) (*Recording, error) {
	if !(speed > 0) || math.IsInf(speed, 0) {
		return nil, fmt.Errorf("the speed is a number above 0 such as 2, not %v", speed)
	}
	c := newCounter()
	c.most = maxReplayed
	target = strings.TrimSuffix(target, "/")
	var list []came
	err := lines(in, func(line string) error {
		at, ok := stamp(line)
		if !ok {
			c.skip("their lines have no time")
			return nil
		}
		if k := c.line(line, target); k != nil {
			list = append(list, came{at, k})
		}
		if len(list) > maxTimes {
			return fmt.Errorf("it has more than %d requests, which is what is held in memory", maxTimes)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	found, err := c.requests()
	if err != nil {
		return nil, fmt.Errorf("read the access log: %w", err)
	}
	r := &Recording{Requests: *found}
	return r, r.put(slices.DeleteFunc(list, func(l came) bool { return l.of.at < 0 }), speed)
}

// put takes requests over in the order they came. Logs are written when requests end, so they need not be in that order.
func (r *Recording) put(list []came, speed float64) error {
	slices.SortStableFunc(list, func(a, b came) int { return a.at.Compare(b.at) })
	first, last := list[0].at, list[len(list)-1].at
	whole := !slices.ContainsFunc(list, func(l came) bool { return l.at.Nanosecond() != 0 })
	end := last.Sub(first) + time.Millisecond
	if whole {
		end = last.Sub(first) + time.Second
	}
	if float64(end)/speed >= math.MaxInt64/2 || last.Sub(first) >= 366*24*time.Hour {
		return errors.New("read the access log: between its first and its last request is more than a year")
	}
	for i := 0; i < len(list); {
		n := 1
		for i+n < len(list) && list[i+n].at.Equal(list[i].at) {
			n++
		}
		for k := range n {
			at := list[i].at.Sub(first)
			if whole {
				at += time.Second * time.Duration(k) / time.Duration(n)
			}
			r.Times = append(r.Times, time.Duration(float64(at)/speed))
			r.Order = append(r.Order, list[i+k].of.at)
		}
		i += n
	}
	r.Length = max(time.Duration(float64(end)/speed), r.Times[len(r.Times)-1]+1)
	return nil
}

// stamp finds the time in a line.
func stamp(line string) (time.Time, bool) {
	for rest := line; ; { // the address of a client may stand in brackets too
		_, after, ok := strings.Cut(rest, "[")
		if !ok {
			break
		}
		inside, _, _ := strings.Cut(after, "]")
		if at, ok := parseTime(inside); ok {
			return at, true
		}
		rest = after
	}
	first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	if at, ok := parseTime(first); ok {
		return at, true
	}
	whole, fraction, ok := strings.Cut(first, ".")
	seconds, err := strconv.ParseUint(whole, 10, 32)
	if !ok || err != nil || len(fraction) == 0 || len(fraction) > 9 {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	return time.Unix(int64(seconds), int64(nanos)).UTC(), err == nil //nolint:gosec // of 32 bits both
}

func parseTime(text string) (time.Time, bool) {
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", text) // takes a fraction too
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	return at, err == nil
}
