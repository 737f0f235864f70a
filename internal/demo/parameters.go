package demo

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The most one request may ask for.
const (
	maxSlow = 5 * time.Minute
	maxBurn = 10 * time.Second
	maxFor  = 10 * time.Minute
	maxHold = 1 << 30 // also for all of an instance together
	maxSize = 8 << 30

	defaultFor = 10 * time.Second
)

// mischief is what a request asks for in its query.
type mischief struct {
	slow, burn  time.Duration
	fail        int // status; 0: none
	hold, size  int64
	sized       bool // size was given: 0 is an empty body
	lasting     time.Duration
	drop, crash bool
}

// params reads a query and keeps the first problem, as one sentence.
type params struct {
	query   url.Values
	problem string
}

func parseMischief(query url.Values) (mischief, string) {
	p := params{query: query}
	m := mischief{
		slow:    p.duration("slow", 0, 0, maxSlow),
		burn:    p.duration("burn", 0, 0, maxBurn),
		fail:    p.status("fail"),
		hold:    p.size("hold", maxHold),
		size:    p.size("size", maxSize),
		sized:   query.Get("size") != "",
		lasting: p.duration("for", defaultFor, 0, maxFor),
		drop:    p.flag("drop"),
		crash:   p.flag("crash"),
	}
	return m, p.problem
}

func (p *params) bad(format string, args ...any) {
	if p.problem == "" {
		p.problem = fmt.Sprintf(format, args...)
	}
}

// duration reads 500ms, 2s, 1m30s.
func (p *params) duration(name string, missing, low, high time.Duration) time.Duration {
	text := p.query.Get(name)
	if text == "" {
		return missing
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		p.bad("%s=%s is no duration; write it like 500ms or 2s", name, text)
		return missing
	}
	if d < low || d > high {
		p.bad("%s=%s is not between %s and %s", name, text, low, high)
		return missing
	}
	return d
}

// status reads a failing HTTP status; 1 is 500, and 0 is no failure.
func (p *params) status(name string) int {
	switch text := p.query.Get(name); text {
	case "", "0":
		return 0
	case "1":
		return 500
	default:
		n, err := strconv.Atoi(text)
		if err != nil || n < 400 || n > 599 {
			p.bad("%s=%s is no failing status; give 400 to 599, or 1 for 500", name, text)
		}
		return n
	}
}

func (p *params) flag(name string) bool {
	switch text := p.query.Get(name); text {
	case "", "0", "false":
		return false
	case "1", "true":
		return true
	default:
		p.bad("%s=%s is neither 1 nor 0", name, text)
		return false
	}
}

func (p *params) count(name string, high int) int {
	text := p.query.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > high {
		p.bad("%s=%s is no number between 0 and %d", name, text, high)
		return 0
	}
	return n
}

// size reads 1MiB, 10KB, 512.
func (p *params) size(name string, high int64) int64 {
	text := p.query.Get(name)
	if text == "" {
		return 0
	}
	n, ok := parseSize(text)
	if !ok {
		p.bad("%s=%s is no size; write it like 512, 10KB or 1MiB", name, text)
		return 0
	}
	if n > high {
		p.bad("%s=%s is more than the %d MiB that are allowed", name, text, high>>20)
		return 0
	}
	return n
}

func parseSize(text string) (int64, bool) {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"B", 1},
		{"", 1},
	} {
		digits, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 40)
		if err != nil || int64(n) > (1<<62)/unit.bytes {
			return 0, false
		}
		return int64(n) * unit.bytes, true
	}
	return 0, false
}
