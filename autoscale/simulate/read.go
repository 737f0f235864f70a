package simulate

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReadTrace reads lines of "unix_seconds,count", plain or compressed with
// gzip; a first line without numbers is a heading. The step is the smallest
// distance that occurs. Missing steps are filled evenly between their
// neighbours, a step that is there twice counts as the mean of its counts, and
// Notes say so. What is behind the time and count of a line is not looked at.
// Errors name the line, as name:line.
func ReadTrace(name string, r io.Reader) (*Trace, error) {
	in, err := plainText(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var list []sample
	scan := bufio.NewScanner(in)
	for line := 1; scan.Scan(); line++ {
		s, ok, err := readSample(scan.Text(), line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if !ok {
			continue
		}
		if n := len(list); n > 0 && s.at < list[n-1].at {
			return nil, fmt.Errorf("%s:%d: time %d is before that of the line above, %d; sort the file by time", name, line, s.at, list[n-1].at)
		}
		if list = append(list, s); len(list) > maxSteps {
			return nil, fmt.Errorf("%s:%d: a trace has at most %d steps", name, line, maxSteps)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("%s: read trace: %w", name, err)
	}
	return evenly(name, list)
}

// maxSteps bounds what is held in memory: more than ten years of minutes.
const maxSteps = 6_000_000

// sample is a line of a trace.
type sample struct {
	at    int64
	count float64
	line  int
}

func plainText(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err != nil || !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil //nolint:nilerr // a file of one byte is no gzip, and is read as it is
	}
	return gzip.NewReader(b)
}

func readSample(text string, line int) (s sample, ok bool, err error) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if text == "" || text[0] == '#' {
		return s, false, nil
	}
	first, rest, found := strings.Cut(text, ",")
	second, _, _ := strings.Cut(rest, ",")
	at, errAt := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	count, errCount := strconv.ParseFloat(strings.TrimSpace(second), 64)
	if heading := line == 1 && errAt != nil && errCount != nil; heading {
		return s, false, nil
	}
	switch {
	case !found || errAt != nil || errCount != nil:
		return s, false, fmt.Errorf("%.40q is no \"unix_seconds,count\"", text)
	case at < 0 || at > 1<<40:
		return s, false, fmt.Errorf("time %d is no number of seconds since 1970", at)
	case math.IsNaN(count) || math.IsInf(count, 0):
		return s, false, fmt.Errorf("count %s is no number", strings.TrimSpace(second))
	case count < 0:
		return s, false, fmt.Errorf("count %s is negative", strings.TrimSpace(second))
	}
	return sample{at, count, line}, true, nil
}

// mostFilled is the share of steps that may be missing: what is invented beyond
// that is no recording.
const mostFilled = 0.2

// TraceAt makes a trace of counts at times, which may come in any order, as
// ReadTrace does.
func TraceAt(name string, at []time.Time, counts []float64) (*Trace, error) {
	if len(at) != len(counts) {
		return nil, fmt.Errorf("%s: %d times for %d counts", name, len(at), len(counts))
	}
	list := make([]sample, len(at))
	for i := range at {
		list[i] = sample{at: at[i].Unix(), count: max(counts[i], 0)}
	}
	slices.SortStableFunc(list, func(a, b sample) int { return cmp.Compare(a.at, b.at) })
	return evenly(name, list)
}

// TraceOf counts requests in steps, from the first to the last one that is
// over. A step without any has count 0.
func TraceOf(name string, requests []time.Time, step time.Duration) (*Trace, error) {
	if len(requests) == 0 || step <= 0 {
		return nil, fmt.Errorf("%s: it has no requests", name)
	}
	sorted := slices.SortedFunc(slices.Values(requests), time.Time.Compare)
	begin := sorted[0].Truncate(step)
	steps := int(sorted[len(sorted)-1].Sub(begin)/step) + 1
	if steps > maxSteps {
		return nil, fmt.Errorf("%s: between its first and last request are more than %d steps of %s", name, maxSteps, step)
	}
	t := &Trace{Name: name, Begin: begin.UTC(), Step: step, Counts: make([]float64, steps)}
	for _, at := range sorted {
		t.Counts[at.Sub(begin)/step]++
	}
	if steps < 2 {
		return nil, fmt.Errorf("%s: its requests are all within %s, which is no history to rehearse on", name, step)
	}
	return t, nil
}

// errTooFew and the like are completed with the place.
var (
	errTooFew  = errors.New("a trace needs two steps at least")
	errUneven  = errors.New("the distance to the step before is no multiple of the step")
	errMissing = errors.New("with the gap before this step too many steps are missing, more than 20 %")
)

// evenly makes steps of the same length of samples in order.
func evenly(name string, list []sample) (*Trace, error) {
	list, twice, firstTwice := merged(list)
	if len(list) < 2 {
		return nil, fmt.Errorf("%s: %w, has %d", name, errTooFew, len(list))
	}
	step := int64(math.MaxInt64)
	for i := 1; i < len(list); i++ {
		step = min(step, list[i].at-list[i-1].at)
	}
	t := &Trace{Name: name, Begin: time.Unix(list[0].at, 0).UTC(), Step: time.Duration(step) * time.Second, Counts: []float64{list[0].count}}
	filled, gaps, firstGap := int64(0), 0, ""
	for i := 1; i < len(list); i++ {
		distance := list[i].at - list[i-1].at
		if distance%step != 0 {
			return nil, fmt.Errorf("%s: %w: %d s, where steps are %d s", list[i].place(name), errUneven, distance, step)
		}
		missing := distance/step - 1
		if filled += missing; missing > 0 {
			if gaps++; gaps == 1 {
				firstGap = list[i].place(name)
			}
		}
		if float64(filled) > mostFilled*float64(len(list))+1 {
			return nil, fmt.Errorf("%s: %w", list[i].place(name), errMissing)
		}
		for k := int64(1); k <= missing+1; k++ {
			share := float64(k) / float64(missing+1)
			t.Counts = append(t.Counts, list[i-1].count+share*(list[i].count-list[i-1].count))
		}
	}
	if gaps > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%s: steps missing before this one, %d in %d gaps in all; they are filled evenly", firstGap, filled, gaps))
	}
	if twice > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%s: a step that was there before, %d in all; such count as their mean", firstTwice.place(name), twice))
	}
	return t, nil
}

// place is where a sample stands, for people.
func (s sample) place(name string) string {
	if s.line > 0 {
		return fmt.Sprintf("%s:%d", name, s.line)
	}
	return name + " at " + time.Unix(s.at, 0).UTC().Format(time.RFC3339)
}

// merged makes one of samples of the same time.
func merged(list []sample) (out []sample, twice int, first sample) {
	n := 0.0
	for _, s := range list {
		last := len(out) - 1
		if last >= 0 && out[last].at == s.at {
			n++
			out[last].count += (s.count - out[last].count) / n
			if twice++; twice == 1 {
				first = s
			}
			continue
		}
		n = 1
		out = append(out, s)
	}
	return out, twice, first
}
