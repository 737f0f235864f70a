package live

import (
	"fmt"
	"io"
	"time"

	"holdfast/loadtest"
)

// lines shows a load where there is no terminal: a line a second in short runs,
// about thirty lines in longer ones, one a minute at least.
type lines struct {
	config *Config
	last   time.Duration
	titled bool
	sum    tally
}

func (l *lines) tell(p loadtest.Point) {
	if !l.titled {
		l.titled = true
		l.print(l.config.Title)
	}
	l.sum.add(&p)
	if p.At-l.last < l.every()-time.Second/2 {
		return
	}
	l.last = p.At
	l.print(line(&p, &l.sum, l.config.Open))
	l.sum = tally{}
}

func (l *lines) every() time.Duration {
	if l.config.Length <= 0 {
		return time.Second
	}
	return min(max((l.config.Length/30).Truncate(time.Second), time.Second), time.Minute)
}

func (l *lines) print(text string) { _, _ = io.WriteString(l.config.Output, text+"\n") } // nobody is left to tell

// tally is what came of the seconds since the last line.
type tally struct {
	seconds            float64
	offered            float64
	good, failed       int64
	notSent, timeouts  int64
	limited, remaining int64 // of the failed
}

func (t *tally) add(p *loadtest.Point) {
	t.seconds += p.Length.Seconds()
	t.offered += p.Offered
	t.good += p.OK
	t.failed += p.Failed
	t.notSent += p.NotSent
	t.timeouts += p.Timeouts
	t.limited += p.Limited
	t.remaining = t.failed - t.notSent - t.timeouts - t.limited
}

// per is a number per second.
func (t *tally) per(n float64) float64 { return n / max(t.seconds, 1e-9) }

// line is a step in up to 80 columns.
func line(p *loadtest.Point, t *tally, open bool) string {
	asked := ""
	if open {
		asked = fmt.Sprintf(" of %s", rate(t.per(t.offered)))
	}
	return fmt.Sprintf("%5s  %s%s/s good, %d failed, p50 %s p99 %s, %d under way, %s",
		p.At.Round(time.Second), rate(t.per(float64(t.good))), asked, t.failed, Short(p.P50), Short(p.P99), p.InFlight, p.Phase)
}

// rate writes 1234.5 as 1234, 12.34 as 12.3.
func rate(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// Short writes a duration with three or four digits: 12.3ms.
func Short(d time.Duration) string {
	unit := time.Duration(1)
	for unit*1000 <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}
