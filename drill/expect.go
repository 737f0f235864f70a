package drill

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Expectation is a bound of a figure: availability>=99.9%, detect<5s,
// duplicates<=0.
type Expectation struct {
	Figure string
	Op     string // <, <=, >, >=
	Limit  float64
	Text   string // as it was written
}

// unit is what a figure is in.
type unit uint8

const (
	number  unit = iota
	seconds      // written 5s
	share        // written 99%
)

// units are the figures there are.
func units() map[string]unit {
	return map[string]unit{
		"availability": share, "detect": seconds, "failover": seconds, "recover": seconds, "open": seconds, "close": seconds,
		"p99": seconds, "inflation": number, "amplification": number, "duplicates": number, "lost": number,
		"residue": number, "files": number, "memory": number, "leftover": number,
		"imbalance": number, "astray": number, "scaled": number, "store": seconds,
		"gets": share, "struck": number, "spoiled": number, "refusal": seconds, "hung": number, "restarts": number,
	}
}

var expectation = regexp.MustCompile(`^([a-z0-9]+)\s*(<=|>=|<|>)\s*(\S+)$`)

// ParseExpectation reads an expectation.
func ParseExpectation(text string) (Expectation, error) {
	m := expectation.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return Expectation{}, fmt.Errorf("%q: want a figure, <, <=, > or >=, and a limit, like detect<5s", text)
	}
	all := units()
	u, ok := all[m[1]]
	if !ok {
		names := make([]string, 0, len(all))
		for name := range all {
			names = append(names, name)
		}
		slices.Sort(names)
		return Expectation{}, fmt.Errorf("%q: there is no figure %s; there are %s", text, m[1], strings.Join(names, ", "))
	}
	limit, err := u.parse(m[3])
	if err != nil {
		return Expectation{}, fmt.Errorf("%q: %w", text, err)
	}
	return Expectation{Figure: m[1], Op: m[2], Limit: limit, Text: strings.TrimSpace(text)}, nil
}

func (u unit) parse(text string) (float64, error) {
	switch u {
	case seconds:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("want a duration like 5s, not %s", text)
		}
		return d.Seconds(), nil
	case share:
		v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		if err != nil || !strings.HasSuffix(text, "%") || !(v >= 0 && v <= 100) {
			return 0, fmt.Errorf("want a share like 99.9%%, not %s", text)
		}
		return v / 100, nil
	case number:
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("want a number, not %s", text)
	}
	return v, nil
}

func (u unit) format(v float64) string {
	switch u {
	case seconds:
		return time.Duration(v * float64(time.Second)).Round(time.Millisecond).String()
	case share:
		return strconv.FormatFloat(math.Floor(v*1e5)/1e3, 'f', -1, 64) + "%"
	case number:
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// Format writes a value of a figure as expectations do.
func Format(figure string, v float64) string { return units()[figure].format(v) }

func (x *Expectation) met(v float64) bool {
	switch x.Op {
	case "<":
		return v < x.Limit
	case "<=":
		return v <= x.Limit
	case ">":
		return v > x.Limit
	default:
		return v >= x.Limit
	}
}

// Outcome is what came of an expectation.
type Outcome struct {
	Text     string   `json:"text"`
	Met      bool     `json:"met"`
	Measured *float64 `json:"measured,omitempty"` // shares from 0 to 1, times in seconds
	Why      string   `json:"why,omitempty"`      // it was not measured
	Skipped  bool     `json:"skipped,omitempty"`  // it could not be measured here, and counts neither way
}

// judge compares an expectation with what was measured. What an experiment
// asks for and nothing measured is missed, unless it is known beforehand that
// it cannot be.
func (x *Expectation) judge(figures map[string]float64, why map[string]string) Outcome {
	v, ok := figures[x.Figure]
	if ok {
		return Outcome{Text: x.Text, Met: x.met(v), Measured: &v}
	}
	reason := why[x.Figure]
	if reason == "" {
		return Outcome{Text: x.Text, Why: "it did not happen"}
	}
	return Outcome{Text: x.Text, Why: reason, Skipped: true}
}
