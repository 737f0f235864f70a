package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// own is about Holdfast itself.
type own struct {
	described

	config                           *MetricsConfig
	build, ready, logs, certificates *prometheus.Desc
}

func newOwnCollector(all *catalog, c *MetricsConfig) *own {
	all.group("Holdfast itself", "The process that answers; what it uses stands under [process and Go runtime](#process-and-go-runtime).")
	o := &own{
		config:       c,
		build:        all.describe("build_info", "Always 1; the labels say which Holdfast runs and which Go built it.", "version", "goversion"),
		ready:        all.describe("ready", "1 while /readyz says that Holdfast is ready."),
		logs:         all.describe("access_log_dropped_total", "Access log entries dropped because the log could not keep up."),
		certificates: all.describe("certificate_expiry_timestamp_seconds", "Unix time in seconds when the certificate of a listener ends. Of listeners that have one.", "listener"),
	}
	o.described = described{o.build, o.ready, o.logs, o.certificates}
	return o
}

// Collect implements prometheus.Collector.
func (o *own) Collect(ch chan<- prometheus.Metric) {
	to := scrape{ch: ch}
	to.gauge(o.build, 1, o.config.Version, runtime.Version())
	if o.config.Ready != nil {
		to.gauge(o.ready, oneIf(o.config.Ready()))
	}
	if o.config.DroppedLogs != nil {
		to.counter(o.logs, o.config.DroppedLogs())
	}
	if o.config.Certificates != nil {
		for listener, ends := range o.config.Certificates() {
			to.gauge(o.certificates, float64(ends.Unix()), listener)
		}
	}
}
