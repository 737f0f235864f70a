package telemetry

import (
	"encoding/hex"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TraceCounts say what became of exchanges that were to be sent as traces, since
// the start.
type TraceCounts struct {
	Waiting int
	Sent    uint64
	Dropped uint64 // the queue was full
	Failed  uint64 // the collector did not take them
	Refused uint64 // spans, of exchanges that it took and of those it did not
}

// Exemplar is an exchange whose trace the collector has, as an example of its
// latency.
type Exemplar struct {
	Trace   [16]byte
	Latency time.Duration
	At      time.Time
}

func exemplarsOf(list []Exemplar) []prometheus.Exemplar {
	out := make([]prometheus.Exemplar, len(list))
	for i, x := range list {
		out[i] = prometheus.Exemplar{
			Value: x.Latency.Seconds(), Timestamp: x.At, Labels: prometheus.Labels{"trace_id": hex.EncodeToString(x.Trace[:])},
		}
	}
	return out
}

type tracesCollector struct {
	described

	read                         func() TraceCounts
	sent, lost, waiting, refused *prometheus.Desc
}

func newTracesCollector(all *catalog, read func() TraceCounts) *tracesCollector {
	all.group("Traces", "Missing while no collector for traces is configured.")
	c := &tracesCollector{
		read:    read,
		sent:    all.describe("traces_sent_total", "Exchanges that the collector took as traces."),
		lost:    all.describe("traces_lost_total", "Exchanges that were to be sent as traces and were not: queue_full, or not taken by the collector.", "reason"),
		waiting: all.describe("traces_waiting", "Exchanges that wait to be sent as traces."),
		refused: all.describe("trace_spans_refused_total", "Spans that the collector refused of those it answered for; its reason is in the log."),
	}
	c.described = described{c.sent, c.lost, c.waiting, c.refused}
	return c
}

// Collect implements prometheus.Collector.
func (c *tracesCollector) Collect(ch chan<- prometheus.Metric) {
	to, n := scrape{ch: ch}, c.read()
	to.counter(c.sent, n.Sent)
	to.counter(c.lost, n.Dropped, "queue_full")
	to.counter(c.lost, n.Failed, "not_taken")
	to.gauge(c.waiting, float64(n.Waiting))
	to.counter(c.refused, n.Refused)
}
