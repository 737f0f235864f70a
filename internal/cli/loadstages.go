package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"holdfast/loadtest/schedule"
)

// parseStages reads a list of [NAME=]DURATION:LOAD, where LOAD is
//
//	100          from the first moment to the last (step)
//	100-400      in a straight line from what was before (linear)
//	300~100/10s  300, 100 more and less, once in 10s (sine)
//	3000!        then what was before again (spike)
//
// with a u behind the numbers for users instead of requests per second.
func parseStages(text string) (list []schedule.Stage, open bool, err error) {
	before, users := 0.0, 0
	for i, item := range strings.Split(text, ",") {
		item = strings.TrimSpace(item)
		s, from, u, err := parseStage(item)
		if err != nil {
			return nil, false, fmt.Errorf("%q: %w", item, err)
		}
		if s.Shape == schedule.Linear && math.Abs(from-before) > 1e-9 {
			return nil, false, fmt.Errorf("%q: the line begins where the stage before it ends, at %g, not at %g", item, before, from)
		}
		if s.Shape != schedule.Spike {
			before = s.Rate
		}
		if s.Name == "" {
			s.Name = "stage-" + strconv.Itoa(i+1)
		}
		if u {
			users++
		}
		list = append(list, s)
	}
	if users != 0 && users != len(list) {
		return nil, false, errors.New("all stages have a rate, or all have users (20u)")
	}
	if _, err := schedule.NewCurve(list...); err != nil {
		return nil, false, err
	}
	return list, users == 0, nil
}

func parseStage(item string) (s schedule.Stage, from float64, users bool, err error) {
	if name, rest, ok := strings.Cut(item, "="); ok {
		s.Name, item = strings.TrimSpace(name), rest
	}
	length, load, ok := strings.Cut(item, ":")
	if !ok {
		return s, 0, false, errors.New("want DURATION:RATE, such as 30s:100")
	}
	if s.Duration, err = time.ParseDuration(strings.TrimSpace(length)); err != nil {
		return s, 0, false, fmt.Errorf("want a duration such as 30s before the colon, not %q", length)
	}
	number := func(text string) float64 {
		text, u := strings.CutSuffix(strings.TrimSpace(text), "u")
		users = users || u
		v, bad := strconv.ParseFloat(text, 64)
		if bad != nil && err == nil {
			err = fmt.Errorf("want a number such as 100 as load, not %q", text)
		}
		return v
	}
	if rate, swing, ok := strings.Cut(load, "~"); ok {
		s.Shape, s.Rate = schedule.Sine, number(rate)
		amplitude, period, has := strings.Cut(swing, "/")
		s.Amplitude = number(amplitude)
		if has && err == nil {
			if s.Period, err = time.ParseDuration(period); err != nil {
				err = fmt.Errorf("want a duration such as 10s behind the /, not %q", period)
			}
		}
		return s, 0, users, err
	}
	if a, b, ok := strings.Cut(load, "-"); ok && a != "" {
		s.Shape, from = schedule.Linear, number(a)
		s.Rate = number(b)
		return s, from, users, err
	}
	if rate, ok := strings.CutSuffix(load, "!"); ok {
		s.Shape, load = schedule.Spike, rate
	}
	s.Rate = number(load)
	return s, 0, users, err
}
