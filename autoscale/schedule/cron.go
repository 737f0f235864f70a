package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is a set of the numbers 0 to 63.
type field struct {
	bits uint64
	all  bool // it was written as *
}

func (f field) has(n int) bool { return f.bits>>n&1 == 1 }

func (w *Window) read(cron string) error {
	months := []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	parts := strings.Fields(cron)
	if len(parts) != 5 {
		return fmt.Errorf("it must have five fields: minute, hour, day of the month, month, day of the week; it has %d", len(parts))
	}
	for i, x := range []struct {
		into      *field
		name      string
		low, high int
		names     []string
	}{
		{&w.minutes, "minute", 0, 59, nil},
		{&w.hours, "hour", 0, 23, nil},
		{&w.days, "day of the month", 1, 31, nil},
		{&w.months, "month", 1, 12, months},
		{&w.weekdays, "day of the week", 0, 7, days},
	} {
		f, err := readField(parts[i], x.low, x.high, x.names)
		if err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		*x.into = f
	}
	if w.weekdays.has(7) {
		w.weekdays.bits |= 1
	}
	return nil
}

// readField reads a list such as 1,5-9,*/10.
func readField(text string, low, high int, names []string) (field, error) {
	f := field{all: text == "*"}
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || n > high {
				return field{}, fmt.Errorf("the step in %q must be a number from 1 to %d", part, high)
			}
			step = n
		}
		from, to, err := readSpan(span, low, high, names)
		if err != nil {
			return field{}, err
		}
		if stepped && from == to {
			to = high // 5/10 is 5-59/10
		}
		for n := from; n <= to; n += step {
			f.bits |= 1 << n
		}
	}
	return f, nil
}

func readSpan(text string, low, high int, names []string) (from, to int, err error) {
	if text == "*" {
		return low, high, nil
	}
	first, last, isRange := strings.Cut(text, "-")
	if from, err = readNumber(first, low, high, names); err != nil {
		return 0, 0, err
	}
	if !isRange {
		return from, from, nil
	}
	if to, err = readNumber(last, low, high, names); err != nil {
		return 0, 0, err
	}
	if from > to {
		return 0, 0, fmt.Errorf("%q goes backwards; write two ranges, %d-%d,%d-%d", text, from, high, low, to)
	}
	return from, to, nil
}

func readNumber(text string, low, high int, names []string) (int, error) {
	if i := slices.Index(names, strings.ToLower(text)); i >= 0 {
		return low + i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q must be a number from %d to %d", text, low, high)
	}
	return n, nil
}
