package live

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"holdfast/loadtest"
)

// screen is the view on a terminal: a bubbletea model.
type screen struct {
	config *Config
	stop   context.CancelFunc

	width    int
	last     loadtest.Point
	began    time.Time // by the first point
	now      time.Time
	all      tally
	rates    []float64 // of good answers, one a second
	slow     []float64 // p99
	factor   float64
	help     bool
	stopping bool
	gone     bool
}

func newScreen(c *Config, stop context.CancelFunc) *screen {
	return &screen{config: c, stop: stop, width: 80, factor: 1}
}

// history is how many seconds a sparkline has.
const history = 40

// tick moves the bar between two points.
type tick time.Time

func ticking() tea.Cmd {
	return tea.Tick(time.Second/2, func(t time.Time) tea.Msg { return tick(t) })
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return ticking() }

// Update implements tea.Model.
func (s *screen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case tea.WindowSizeMsg:
		s.width = min(max(m.Width, 40), 100)
	case loadtest.Point:
		s.point(&m)
	case tick:
		s.now = time.Time(m)
		return s, ticking()
	case tea.KeyPressMsg:
		s.key(m.String())
	case over:
		s.gone = true
		return s, tea.Quit
	}
	return s, nil
}

func (s *screen) point(p *loadtest.Point) {
	s.last, s.began = *p, time.Now().Add(-p.At)
	s.all.add(p)
	var now tally
	now.add(p)
	s.rates = append(s.rates, now.per(float64(p.OK)))
	s.slow = append(s.slow, p.P99.Seconds())
	s.rates, s.slow = s.rates[max(len(s.rates)-history, 0):], s.slow[max(len(s.slow)-history, 0):]
}

// step is how much a key changes the rate.
const step = 1.1

func (s *screen) key(name string) {
	switch name {
	case "q", "ctrl+c":
		s.stopping = true
		s.stop()
	case "?", "h":
		s.help = !s.help
	case "+", "=":
		s.change(s.factor * step)
	case "-", "_":
		s.change(s.factor / step)
	case "0":
		s.change(1)
	}
}

func (s *screen) change(factor float64) {
	if s.config.Throttle == nil {
		return
	}
	if math.Abs(factor-1) < 1e-6 {
		factor = 1 // up and down again is where it was
	}
	s.factor = min(max(factor, 0.01), s.config.MostFactor)
	s.config.Throttle.Set(s.factor)
}

// View implements tea.Model. Of a load that has ended the report tells.
func (s *screen) View() tea.View {
	if s.gone {
		return tea.NewView("")
	}
	var b strings.Builder
	for _, line := range s.lines() {
		b.WriteString(fit(line, s.width) + "\n")
	}
	return tea.NewView(b.String())
}

func (s *screen) lines() []string {
	p := &s.last
	list := []string{s.config.Title, s.bar(), "", s.rateLine()}
	list = append(list,
		fmt.Sprintf("  p99        %-27s %s", Short(p.P99), spark(s.slow)),
		fmt.Sprintf("  p50 %s   p90 %s   p99.9 %s   max %s", Short(p.P50), Short(p.P90), Short(p.P999), Short(p.Max)),
		fmt.Sprintf("  in flight  %d   users %d   service p50 %s p99 %s", p.InFlight, p.Users, Short(p.ServiceP50), Short(p.ServiceP99)),
		s.failures(),
		fmt.Sprintf("  generator  CPU %.0f %%, timer lag p99 %s", 100*p.Self.CPU, Short(p.TimerLagP99)),
		"")
	return append(list, s.keys()...)
}

func (s *screen) rateLine() string {
	var now tally
	now.add(&s.last)
	text := rate(now.per(float64(s.last.OK))) + "/s good"
	if s.config.Open {
		text += " of " + rate(now.per(s.last.Offered)) + "/s"
	}
	if s.factor != 1 {
		text += fmt.Sprintf(" (x%.2f)", s.factor)
	}
	return fmt.Sprintf("  rate       %-27s %s", text, spark(s.rates))
}

// failures are those since the begin.
func (s *screen) failures() string {
	t := &s.all
	var text strings.Builder
	fmt.Fprintf(&text, "  failed     %d of %d", t.failed, t.failed+t.good)
	for _, k := range []struct {
		n    int64
		name string
	}{{t.notSent, "not sent"}, {t.timeouts, "timeouts"}, {t.limited, "429"}, {t.remaining, "other"}} {
		if k.n > 0 {
			fmt.Fprintf(&text, "   %s %d", k.name, k.n)
		}
	}
	return text.String()
}

// bar shows how far the run is.
func (s *screen) bar() string {
	at := s.last.At
	if !s.began.IsZero() && s.now.After(s.began) {
		at = max(at, s.now.Sub(s.began))
	}
	if s.config.Length <= 0 {
		return fmt.Sprintf("%s  %s", at.Round(time.Second), s.last.Phase)
	}
	at = min(at, s.config.Length)
	left := fmt.Sprintf(" %s left", (s.config.Length - at).Round(time.Second))
	done := at.Seconds() / s.config.Length.Seconds()
	n := int(done*history + 0.5)
	return fmt.Sprintf("[%s%s] %s%s  %s", strings.Repeat("█", n), strings.Repeat("·", history-n), at.Round(time.Second), left, s.last.Phase)
}

func (s *screen) keys() []string {
	switch {
	case s.stopping:
		return []string{"  stopping; the report follows"}
	case !s.help && s.config.Throttle != nil:
		return []string{"  q stop   + - rate   ? help"}
	case !s.help:
		return []string{"  q stop   ? help"}
	}
	list := []string{"  q, Ctrl-C  stop now; what was measured is reported", "  ?          hide this"}
	if s.config.Throttle == nil {
		return append(list, "  (users ask as fast as they are answered: there is no rate to change)")
	}
	return append(list, "  + - 0      raise or lower the rate by 10 %, or take that back;", "             the report says that it was done")
}

// fit cuts a line to what the terminal shows.
func fit(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}

// spark draws values as bars from nothing to the highest.
func spark(values []float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	all := []rune(bars)
	var b strings.Builder
	for _, v := range values {
		n := 0
		if most > 0 {
			n = int(v / most * float64(len(all)-1))
		}
		b.WriteRune(all[min(max(n, 0), len(all)-1)])
	}
	return b.String()
}
