package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Text writes the run as tables of at most 80 columns for a terminal.
func (r *Run) Text(out io.Writer) error {
	fmt.Fprintln(out, r.about())
	for _, s := range r.sections() {
		fmt.Fprintf(out, "\n%s. %s\n\n", s.title, s.note)
		s.table.text(out)
	}
	for _, m := range r.missing() {
		fmt.Fprintf(out, "\nmissing: %s\n", m)
	}
	fmt.Fprintf(out, "\n%s\n", r.mood())
	return nil
}

// about says where and how was measured.
func (r *Run) about() string {
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Programs)) {
		versions = append(versions, name+" "+r.Programs[name])
	}
	return fmt.Sprintf("%s on %s.\n%s.\nRounds: %d of %.0f s; %d connections, %d threads each.",
		r.Started.Format("2006-01-02"), r.Machine, strings.Join(versions, ", "), r.Rounds, r.Seconds, r.Connections, r.Threads)
}

// mood says what else the machine did, which is how a noisy run shows.
func (r *Run) mood() string {
	var load, others []float64
	for _, result := range r.Results {
		for _, s := range result.Rounds {
			load, others = append(load, s.Load), append(others, s.Others)
		}
	}
	l, ok := spread(load)
	if !ok {
		return "Nothing was measured."
	}
	o, _ := spread(others)
	verdict := "a quiet machine"
	if o.Mid > 0.05 {
		verdict = "a busy machine: compare ratios only, and with care"
	}
	return fmt.Sprintf("Load average %.1f (%.1f .. %.1f); others had %.0f %% of the processors (%.0f .. %.0f):\n%s.",
		l.Mid, l.Low, l.High, 100*o.Mid, 100*o.Low, 100*o.High, verdict)
}

// missing lists what could not be measured.
func (r *Run) missing() []string {
	var list []string
	for _, result := range r.Results {
		if result.Missing != "" {
			list = append(list, fmt.Sprintf("%s, %s: %s", result.Case, result.Proxy, result.Missing))
		}
	}
	return list
}
