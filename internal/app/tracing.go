package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"

	"holdfast/exchange"
	"holdfast/internal/admin/access"
	"holdfast/internal/config"
	"holdfast/internal/store"
	"holdfast/internal/telemetry"
	"holdfast/internal/telemetry/traces"
)

// makeTraces makes what sends exchanges as traces, if somebody wants them.
func (a *App) makeTraces(c *config.Config) error {
	t := &c.Telemetry.Traces
	to := traces.Collector{Endpoint: t.Endpoint, Protocol: t.Protocol, Headers: t.Headers}
	if !to.From(os.Getenv) {
		return nil
	}
	ctx := context.Background() // nothing is connected before there is something to send
	exporter, err := to.Open(ctx)
	if err != nil {
		return fmt.Errorf("telemetry.traces: %w", err)
	}
	logger := a.logs.For("traces")
	const answer = "the collector of traces answers"
	// What the exporters do not return they tell the handler of the process; without
	// this one they would write to its output.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Debug(answer, "error", err) }))
	a.traces = traces.New(ctx, traces.Config{
		Exporter: exporter, Service: firstOf(t.ServiceName, "holdfast"), Named: t.ServiceName != "",
		Version: a.options.Version, Node: a.node, Mask: access.Mask,
		Warned: func(text string) { logger.Debug(answer, "error", text) },
		Failed: func(err error) {
			if err != nil {
				logger.Warn("traces are lost: the collector does not take all of them", "error", err)
				return
			}
			logger.Info("the collector takes all traces again")
		},
	})
	a.setTracing(c)
	return nil
}

// setTracing puts in force what is traced.
func (a *App) setTracing(c *config.Config) {
	if a.traces == nil {
		return
	}
	t := &c.Telemetry.Traces
	a.traces.SetTroubled(t.Troubled)
	a.gateway.SetTracing(&exchange.Tracing{Sample: t.Sample, Parents: parentsOf(t.Parents)})
}

func parentsOf(s string) exchange.Parents {
	switch s {
	case "trusted":
		return exchange.ParentsTrusted
	case "none":
		return exchange.ParentsNone
	}
	return exchange.ParentsAny
}

// observe gets the record of each exchange that is over.
func (a *App) observe(r *exchange.Record) {
	if a.traces != nil {
		a.traces.Observe(r)
	}
}

// figures fills in what metrics show besides what the admin interface knows.
func (a *App) figures(m *telemetry.MetricsConfig) {
	m.Happened = &a.happened
	m.Store = a.storeFigures
	m.Checks = func(function, instance string) (made, failed uint64, known bool) {
		v, known := a.prober.View(targetKey(function, instance))
		return v.Checks, v.Failures, known
	}
	m.Restarts = func(function, instance string) (uint64, bool) {
		i, known := a.processOf(function, instance)
		return uint64(max(i.Restarts, 0)), known
	}
	m.Certificates = a.certificatesEnd
	m.Alerts = a.alertFigures
	if a.traces != nil {
		m.Traces, m.Exemplars = a.traces.Counts, a.traces.Exemplars
	}
}

func (a *App) storeFigures() telemetry.Store {
	h := a.outbox.Health()
	var delivered uint64
	for _, n := range h.Delivered {
		delivered += n
	}
	return telemetry.Store{
		Up: h.Condition == store.Up, Queued: h.Queued, Spooled: h.Spooled, InMemory: h.OnlyInMemory, States: h.States, SpoolBytes: h.SpoolBytes,
		Delivered: delivered, Dropped: h.Lost(), Rejected: h.Rejected, LostStates: h.StatesLost,
	}
}

func (a *App) alertFigures() telemetry.Alerts {
	v := telemetry.Alerts{Firing: map[string]int{}}
	for _, x := range a.alerts.Firing() {
		v.Firing[string(x.Severity)]++
	}
	for _, d := range a.alerts.Deliveries() {
		c := telemetry.AlertChannel{Name: d.Name, Sent: d.Sent, Failed: d.Failed, Retried: d.Retried, Refused: d.Refused, Dropped: d.Dropped, Waiting: d.Waiting}
		if !d.Oldest.IsZero() {
			c.OldestAge = time.Since(d.Oldest).Seconds()
		}
		v.Channels = append(v.Channels, c)
	}
	return v
}

func (a *App) certificatesEnd() map[string]time.Time {
	ends := map[string]time.Time{}
	if a.certificate != nil {
		ends["gateway"] = a.certificate.Ends()
	}
	if a.door.certificate != nil {
		ends["admin"] = a.door.certificate.Ends()
	}
	return ends
}
