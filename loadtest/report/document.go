package report

import (
	"math"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/histogram"
)

// Schema is the version of the JSON document. It changes when a field changes
// its meaning or goes; new fields may come at any time.
const Schema = 1

// Document is everything a report says. Times are in milliseconds unless their
// name says otherwise.
type Document struct {
	Schema      int               `json:"schema"`
	Title       string            `json:"title"`
	Begun       time.Time         `json:"begun"`
	Model       string            `json:"model"` // open or closed
	Interrupted bool              `json:"interrupted,omitempty"`
	Seconds     float64           `json:"seconds"`         // measured part, until the last answer
	Planned     float64           `json:"planned_seconds"` // how long it was to last
	TargetRate  float64           `json:"target_rate,omitempty"`
	Rate        float64           `json:"rate"` // good answers per second
	Verdict     Verdict           `json:"verdict"`
	Total       Part              `json:"total"`
	Warmup      *Part             `json:"warmup,omitempty"`
	Stages      []Part            `json:"stages,omitempty"`
	Endpoints   []Part            `json:"endpoints,omitempty"`
	Errors      map[string]string `json:"errors,omitempty"` // the first of each class
	Series      []Point           `json:"series"`
	Windows     []Window          `json:"windows,omitempty"`
	Search      *Search           `json:"search,omitempty"`      // of a search for the most; the totals are of the rate that was held, else of the last step
	Law         *Law              `json:"scalability,omitempty"` // of a fit; the totals are of the most users
	Quota       *Quota            `json:"quota,omitempty"`
	Setup       []Setting         `json:"setup"`       // how to do it again
	Environment []Setting         `json:"environment"` // where it ran
}

// Verdict is what the run proves.
type Verdict struct {
	Passed     bool        `json:"passed"`    // all objectives are met
	Generator  string      `json:"generator"` // OK, SUSPECT or INVALID
	Reasons    []string    `json:"reasons,omitempty"`
	Objectives []Objective `json:"objectives,omitempty"`
}

// Objective is one that was judged.
type Objective struct {
	Text  string `json:"text"`  // as it was asked for
	Value string `json:"value"` // what was measured
	Met   bool   `json:"met"`
}

// Window is a stretch of the run that charts over time show shaded, in seconds since its begin: of a drill, when
// something was broken. The caller fills it in.
type Window struct {
	From float64 `json:"from_seconds"`
	To   float64 `json:"to_seconds"`
	What string  `json:"what"`
}

// Setting is a line of a list.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Part is what became of a set of requests.
type Part struct {
	Name       string           `json:"name,omitempty"`
	Planned    int64            `json:"planned"` // requests
	OK         int64            `json:"ok"`
	Failed     int64            `json:"failed"`
	ErrorRatio float64          `json:"error_ratio"`
	Classes    map[string]int64 `json:"classes"`
	Statuses   map[int]int64    `json:"statuses,omitempty"`
	BytesIn    int64            `json:"bytes_in"`
	BytesOut   int64            `json:"bytes_out"`
	Reconnects int64            `json:"reconnects,omitempty"`
	Response   Times            `json:"response"`
	Service    Times            `json:"service"`
	TimerLag   Times            `json:"timer_lag"`
	Wait       Times            `json:"wait"`
	Connect    Times            `json:"connect"`
}

// Times describes a histogram. What too few values speak of is missing.
type Times struct {
	Count    int64        `json:"count"`
	Mean     float64      `json:"mean"`
	Min      float64      `json:"min"`
	P50      *float64     `json:"p50,omitempty"`
	P90      *float64     `json:"p90,omitempty"`
	P95      *float64     `json:"p95,omitempty"`
	P99      *float64     `json:"p99,omitempty"`
	P999     *float64     `json:"p999,omitempty"`
	P9999    *float64     `json:"p9999,omitempty"`
	Max      float64      `json:"max"`
	Spectrum [][2]float64 `json:"spectrum,omitempty"` // share from 0 to 1, and the time it does not exceed
}

// Point is one step of the run.
type Point struct {
	At         float64  `json:"at_seconds"` // its end
	Length     float64  `json:"seconds"`
	Phase      string   `json:"phase,omitempty"`
	Offered    float64  `json:"offered_rate"`
	Done       float64  `json:"done_rate"`
	OK         float64  `json:"ok_rate"`
	Failed     float64  `json:"failed_rate"`
	NotSent    float64  `json:"not_sent_rate"`
	Timeouts   float64  `json:"timeout_rate"`
	Limited    float64  `json:"limited_rate"`
	InFlight   int64    `json:"in_flight"`
	Users      int      `json:"users"`
	P50        float64  `json:"p50"`
	P90        float64  `json:"p90"`
	P99        float64  `json:"p99"`
	P999       float64  `json:"p999"`
	Max        float64  `json:"max"`
	ServiceP50 float64  `json:"service_p50"`
	ServiceP99 float64  `json:"service_p99"`
	TimerLag   float64  `json:"timer_lag_p99"`
	Heat       [][2]int `json:"heat,omitempty"` // row of loadtest.HeatRange, and how many
}

// New makes a document of a result. What the result does not know, title,
// verdict, setup and environment, the caller fills in.
func New(r *loadtest.Result) *Document {
	d := &Document{
		Schema: Schema, Begun: r.Begun, Model: "closed", Interrupted: r.Interrupted, Seconds: r.Elapsed.Seconds(),
		Planned: r.Planned.Seconds(), TargetRate: finite(r.TargetRate()), Rate: finite(r.Rate()),
		Verdict: Verdict{Passed: true, Generator: "OK"}, Total: partOf("", r.Total), Errors: map[string]string{},
	}
	if r.Open {
		d.Model = "open"
	}
	if r.Warmup != nil && r.Warmup.Planned() > 0 {
		w := partOf("warm-up", r.Warmup)
		d.Warmup = &w
	}
	for i := range r.Stages {
		d.Stages = append(d.Stages, partOf(r.Stages[i].Name, r.Stages[i].Summary))
	}
	for i := range r.Endpoints {
		d.Endpoints = append(d.Endpoints, partOf(r.Endpoints[i].Name, r.Endpoints[i].Summary))
	}
	for class, text := range r.Errors {
		d.Errors[class.String()] = text
	}
	d.Series = pointsOf(r.Series)
	return d
}

func pointsOf(series []loadtest.Point) (list []Point) {
	for i := range series {
		list = append(list, pointOf(&series[i]))
	}
	return list
}

// Show takes over the series of several runs behind one another in place of that of the last.
func (d *Document) Show(series []loadtest.Point) { d.Series = pointsOf(series) }

func partOf(name string, s *loadtest.Summary) Part {
	p := Part{
		Name: name, Planned: s.Planned(), OK: s.Counts[loadtest.OK], Failed: s.Failures(), ErrorRatio: finite(s.ErrorRatio()),
		Classes: map[string]int64{}, Statuses: s.Statuses, BytesIn: s.BytesIn, BytesOut: s.BytesOut, Reconnects: s.Reconnects,
		Response: timesOf(s.Response), Service: timesOf(s.Service), TimerLag: timesOf(s.TimerLag), Wait: timesOf(s.Wait), Connect: timesOf(s.Connect),
	}
	for class, n := range s.Counts {
		if n > 0 {
			p.Classes[loadtest.Class(class).String()] = n
		}
	}
	return p
}

func timesOf(h *histogram.Histogram) Times {
	if h == nil || h.Count() == 0 {
		return Times{}
	}
	t := Times{Count: h.Count(), Mean: ms(h.Mean()), Min: ms(h.Min()), Max: ms(h.Max())}
	for _, q := range []struct {
		share float64
		to    **float64
	}{{0.5, &t.P50}, {0.9, &t.P90}, {0.95, &t.P95}, {0.99, &t.P99}, {0.999, &t.P999}, {0.9999, &t.P9999}} {
		if histogram.Sound(q.share, t.Count) {
			v := ms(h.Quantile(q.share))
			*q.to = &v
		}
	}
	t.Spectrum = spectrum(h)
	return t
}

// spectrum has ten points per tenth of what is left to 1, as far as it is
// sound: as HDR histograms are drawn.
func spectrum(h *histogram.Histogram) [][2]float64 {
	var shares []float64
	for left := 1.0; ; left *= math.Pow(10, -0.1) {
		q := 1 - left
		if !histogram.Sound(q, h.Count()) {
			break
		}
		shares = append(shares, q)
	}
	values := make([]time.Duration, len(shares))
	h.Quantiles(shares, values)
	list := make([][2]float64, 0, len(shares)+1)
	for i := range shares {
		list = append(list, [2]float64{shares[i], ms(values[i])})
	}
	return append(list, [2]float64{1, ms(h.Max())})
}

func pointOf(p *loadtest.Point) Point {
	length := p.Length.Seconds()
	rate := func(n int64) float64 { return finite(float64(n) / length) }
	v := Point{
		At: p.At.Seconds(), Length: length, Phase: p.Phase, Offered: finite(p.Offered / length), Done: rate(p.Done), OK: rate(p.OK),
		Failed: rate(p.Failed), NotSent: rate(p.NotSent), Timeouts: rate(p.Timeouts), Limited: rate(p.Limited), InFlight: p.InFlight,
		Users: p.Users, P50: ms(p.P50), P90: ms(p.P90), P99: ms(p.P99), P999: ms(p.P999), Max: ms(p.Max),
		ServiceP50: ms(p.ServiceP50), ServiceP99: ms(p.ServiceP99), TimerLag: ms(p.TimerLagP99),
	}
	for _, h := range p.Heat {
		v.Heat = append(v.Heat, [2]int{int(h.Row), int(h.Count)})
	}
	return v
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// finite is 0 for what JSON cannot say.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
