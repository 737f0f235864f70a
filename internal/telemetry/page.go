package telemetry

import (
	"fmt"
	"strings"
)

//go:generate go run ./gen ../../docs/metrics.md

const pageIntro = `# Metrics

This page is generated from the source: ` + "`go generate ./internal/telemetry`" + `.

Holdfast answers Prometheus at ` + "`/metrics`" + ` of the admin listener. On this machine no token is needed unless
` + "`admin.metrics_token`" + ` asks for one; beyond it a token with the role viewer is, as a bearer token. Nothing is counted for
metrics: a scrape reads the counters that decisions are made with, so a request costs nothing for being measured. The
number of series follows from the configuration (functions, instances, fixed lists of classes, reasons and states), never
from traffic.

[telemetry.md](telemetry.md) says how to scrape it and what to alert on; the files are in ` + "`deploy/prometheus`" + ` and
` + "`deploy/grafana`" + `. Counters begin with 0 at each start of the process.

A client that accepts OpenMetrics (Prometheus does) gets that format, and with it exemplars: buckets of
` + "`holdfast_exchange_duration_seconds`" + ` name the trace of an exchange that was sent to the collector within the last 15
minutes. Prometheus keeps them with ` + "`--enable-feature=exemplar-storage`" + `.
`

// Page is the documentation of all metrics, as Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(pageIntro)
	for _, g := range Catalog() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n", g.Title, g.About)
		for i := range g.Metrics {
			m := &g.Metrics[i]
			labels := make([]string, len(m.Labels))
			for n, l := range m.Labels {
				labels[n] = "`" + l + "`"
			}
			help := strings.ReplaceAll(m.Help, "|", `\|`)
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, strings.Join(labels, ", "), m.Unit(), help)
		}
	}
	return b.String()
}
