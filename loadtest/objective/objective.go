// Package objective says in a line what a service has to reach, and judges what was measured by it.
//
//	p99<250ms              response time of the quickest 99 %, timeouts among it
//	p99{endpoint=buy}<1s   of one endpoint
//	p99@steady<1s          of one stage of the load
//	service.p50<=20ms      service time
//	mean<50ms  min>1ms  max<5s
//	errors<0.1%            failures by planned requests; what was not sent is one
//	errors<=3              their number
//	timeout<=0             number or share of one class of failures
//	rate>=500              good answers per second
//	rate>=0.98*target      as a part of what was planned (open runs)
//	p99<250ms abort        ends the run as soon as it is missed
//
// A run that missed an objective has failed, whatever its other figures are.
package objective

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"holdfast/loadtest/histogram"
)

// Objective is a limit for a metric. Parse makes it.
type Objective struct {
	Metric   string  // p99, mean, min, max, errors, rate, or a class of failures
	Service  bool    // of service times instead of response times
	Quantile float64 // of p99: 0.99
	Endpoint string  // "": all
	Stage    string  // "": all
	Op       string  // <, <=, >, >=
	// Limit is in the unit of Unit: seconds, a ratio, a number, or a part of the target rate.
	Limit float64
	Unit  Unit
	Abort bool
}

// Unit is what a limit is in.
type Unit uint8

// The units.
const (
	Number  Unit = iota
	Seconds      // of latencies
	Ratio        // written in %
	OfTarget
)

const (
	metricMean, metricMin, metricMax, metricErrors, metricRate = "mean", "min", "max", "errors", "rate"
)

// latency says whether the metric is a duration.
func (o *Objective) latency() bool {
	return o.Quantile > 0 || o.Metric == metricMean || o.Metric == metricMin || o.Metric == metricMax
}

// Parse reads an objective. Classes are the names of failures that may be counted by themselves.
func Parse(text string, classes []string) (Objective, error) {
	o, err := parse(text, classes)
	if err != nil {
		return Objective{}, fmt.Errorf("read the objective %q: %w", text, err)
	}
	return o, nil
}

func parse(text string, classes []string) (Objective, error) {
	var o Objective
	at := strings.IndexAny(text, "<>")
	if open := strings.IndexByte(text, '{'); open >= 0 && at > open { // names may hold anything but }
		end := strings.IndexByte(text[open:], '}')
		if end < 0 {
			return o, errors.New("want } after the endpoint")
		}
		if at = strings.IndexAny(text[open+end:], "<>"); at >= 0 {
			at += open + end
		}
	}
	if at < 0 {
		return o, errors.New("want <, <=, > or >= between a metric and its limit, as in p99<250ms")
	}
	left, right := text[:at], text[at+1:]
	o.Op = text[at : at+1]
	if after, ok := strings.CutPrefix(right, "="); ok {
		o.Op, right = o.Op+"=", after
	}
	if err := o.readLeft(strings.TrimSpace(left), classes); err != nil {
		return o, err
	}
	right = strings.TrimSpace(right)
	if before, ok := strings.CutSuffix(right, "abort"); ok {
		o.Abort, right = true, strings.TrimSpace(before)
	}
	return o, o.readLimit(right)
}

// readLeft reads metric{endpoint=name}@stage.
func (o *Objective) readLeft(text string, classes []string) error {
	name, label, labelled := strings.Cut(text, "{")
	if labelled {
		inside, rest, _ := strings.Cut(label, "}")
		endpoint, ok := strings.CutPrefix(strings.TrimSpace(inside), "endpoint=")
		if !ok || endpoint == "" {
			return fmt.Errorf("want {endpoint=NAME}, not {%s}", inside)
		}
		o.Endpoint, name = endpoint, name+rest
	}
	name, stage, staged := strings.Cut(name, "@")
	if staged && stage == "" {
		return errors.New("want the name of a stage after @")
	}
	o.Stage = stage
	o.Metric, o.Service = strings.CutPrefix(strings.TrimSpace(name), "service.")
	switch o.Metric {
	case metricMean, metricMin, metricMax:
		return nil
	case metricErrors, metricRate:
		if o.Service {
			return fmt.Errorf("service time has no %s", o.Metric)
		}
		return nil
	}
	if digits, ok := strings.CutPrefix(o.Metric, "p"); ok && digits != "" && strings.Trim(digits, "0123456789.") == "" {
		v, err := strconv.ParseFloat(digits, 64)
		if err != nil || v <= 0 || v >= 100 {
			return fmt.Errorf("a percentile is between 0 and 100, not %s", digits)
		}
		o.Quantile = v / 100
		return nil
	}
	for _, c := range classes {
		if c == o.Metric && !o.Service {
			return nil
		}
	}
	return fmt.Errorf("there is no metric %q: want p99, mean, min, max, errors, rate or one of %s", o.Metric, strings.Join(classes, ", "))
}

// readLimit reads 250ms, 0.1%, 500 or 0.98*target, as the metric wants it.
func (o *Objective) readLimit(text string) error {
	switch {
	case o.latency():
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf("want a duration like 250ms as limit of %s, not %q", o.Metric, text)
		}
		o.Limit, o.Unit = d.Seconds(), Seconds
		return nil
	case o.Metric == metricRate:
		part, ok := strings.CutSuffix(text, "target")
		if ok {
			o.Unit = OfTarget
			if text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(part), "*")); text == "" {
				text = "1"
			}
		}
	case strings.HasSuffix(text, "%"):
		o.Unit, text = Ratio, strings.TrimSpace(strings.TrimSuffix(text, "%"))
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return fmt.Errorf("want a number as limit of %s, not %q", o.Metric, text)
	}
	if o.Unit == Ratio {
		v /= 100
	}
	o.Limit = v
	return nil
}

// String writes an objective as Parse reads it.
func (o *Objective) String() string {
	var b strings.Builder
	if o.Service {
		b.WriteString("service.")
	}
	b.WriteString(o.Metric)
	if o.Endpoint != "" {
		b.WriteString("{endpoint=" + o.Endpoint + "}")
	}
	if o.Stage != "" {
		b.WriteString("@" + o.Stage)
	}
	b.WriteString(o.Op + o.format(o.Limit))
	if o.Abort {
		b.WriteString(" abort")
	}
	return b.String()
}

// format writes a value in the objective's unit.
func (o *Objective) format(v float64) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	switch o.Unit {
	case Seconds:
		return duration(v).String()
	case Ratio:
		return number(v*100) + "%"
	case OfTarget:
		return number(v) + "*target"
	case Number:
	}
	return number(v)
}

// measured writes what was measured with the four digits that a histogram may know. Where the limit is as long it is written
// as it is: 250.04ms is not 250ms.
func (o *Objective) measured(v float64) string {
	exponent := 0.0
	if v != 0 {
		exponent = math.Floor(math.Log10(math.Abs(v)))
	}
	scale := math.Pow(10, 3-exponent)
	rounded := math.Round(v*scale) / scale
	if (v < o.Limit) != (rounded < o.Limit) || (v > o.Limit) != (rounded > o.Limit) {
		rounded = v
	}
	return o.format(rounded)
}

func duration(seconds float64) time.Duration { return time.Duration(math.Round(seconds * 1e9)) }

// Measured is what objectives are judged by.
type Measured struct {
	Response, Service *histogram.Histogram
	Planned, Good     int64
	Failed            int64
	Classes           map[string]int64 // failures by class
	Length            time.Duration
	Target            float64 // requests planned per second; 0: none
}

// Outcome is an objective with what came of it.
type Outcome struct {
	Objective Objective
	Passed    bool
	Got       float64 // in the unit of the objective's limit
	// Sound says that there were enough requests for the figure to mean something.
	Sound bool
	Text  string // p99<250ms: 231ms
}

// Judge compares what was measured with the limit. Where nothing was measured no latency passes: a run without a good
// answer has reached nothing.
func (o *Objective) Judge(m *Measured) Outcome {
	got := o.measure(m)
	out := Outcome{Objective: *o, Got: got, Sound: m.Planned > 0, Passed: o.compare(got)}
	if o.latency() {
		h := o.histogram(m)
		n := h.Count()
		out.Sound = n > 0 && (o.Quantile == 0 || histogram.Sound(o.Quantile, n))
		out.Passed = out.Passed && n > 0
	}
	out.Text = o.String() + ": " + o.measured(got)
	if !out.Sound {
		out.Text += " (too few requests)"
	}
	return out
}

func (o *Objective) histogram(m *Measured) *histogram.Histogram {
	if o.Service {
		return m.Service
	}
	return m.Response
}

func (o *Objective) measure(m *Measured) float64 {
	h := o.histogram(m)
	switch {
	case o.Quantile > 0:
		return h.Quantile(o.Quantile).Seconds()
	case o.Metric == metricMean:
		return h.Mean().Seconds()
	case o.Metric == metricMin:
		return h.Min().Seconds()
	case o.Metric == metricMax:
		return h.Max().Seconds()
	case o.Metric == metricRate:
		return o.rate(m)
	}
	n := m.Failed
	if o.Metric != metricErrors {
		n = m.Classes[o.Metric]
	}
	if o.Unit == Ratio {
		return float64(n) / float64(max(m.Planned, 1))
	}
	return float64(n)
}

func (o *Objective) rate(m *Measured) float64 {
	if m.Length <= 0 {
		return 0
	}
	rate := float64(m.Good) / m.Length.Seconds()
	if o.Unit != OfTarget {
		return rate
	}
	if m.Target <= 0 {
		return 0
	}
	return rate / m.Target
}

func (o *Objective) compare(got float64) bool {
	switch o.Op {
	case "<":
		return got < o.Limit
	case "<=":
		return got <= o.Limit
	case ">":
		return got > o.Limit
	}
	return got >= o.Limit
}
