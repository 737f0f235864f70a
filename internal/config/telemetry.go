package config

// Telemetry is what is sent to others about requests.
type Telemetry struct {
	// Requests as traces, by the OpenTelemetry protocol (OTLP).
	Traces Traces `yaml:"traces"`
}

// Traces says which requests are sent as traces, and where to. What is left out
// the standard variables say (`OTEL_EXPORTER_OTLP_ENDPOINT` and its siblings,
// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`); see docs/telemetry.md.
type Traces struct {
	// Collector of traces, such as `http://localhost:4318`, or `http://localhost:4317` with `protocol: grpc`. Without a path, `http/protobuf` sends to `/v1/traces`. Empty: that of the environment, and without one there are no traces and the W3C fields of requests pass as they came. A change needs a restart.
	Endpoint string `yaml:"endpoint" format:"signal-url"`
	// How the collector is spoken with; empty: as `OTEL_EXPORTER_OTLP_PROTOCOL` says, else `http/protobuf`. A change needs a restart.
	Protocol string `yaml:"protocol" enum:"http/protobuf|grpc"`
	// Header fields for the collector, such as a key; they are shown to nobody. A change needs a restart.
	Headers map[string]string `yaml:"headers" format:"check-header" secret:"true"`
	// Part of the traces begun here that is recorded; the instances are told. Of a trace that a client brings along, its own word counts.
	Sample float64 `yaml:"sample" default:"0.01" range:"0..1"`
	// How many a second are sent besides the sample of the requests that failed, were slow or took more than one attempt. Of these only Holdfast's own spans exist. 0: none.
	Troubled int `yaml:"troubled" default:"100" range:"0..100000"`
	// Whose traces are continued: those of any client, of `trusted_proxies`, or of nobody.
	Parents string `yaml:"parents" default:"any" enum:"any|trusted|none"`
	// Name of this Holdfast in traces; empty: as `OTEL_SERVICE_NAME` says, else `holdfast`. A change needs a restart.
	ServiceName string `yaml:"service_name"`
}
