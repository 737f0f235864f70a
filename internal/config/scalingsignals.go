package config

// ScalingSignal is a signal of your own. One kind: `health_json`,
// `prometheus`, `http_json` or `formula`.
type ScalingSignal struct {
	// Way to a number in the JSON of each instance's health answer: `jobs.waiting`. It is as old as the last check, see `health.interval`.
	HealthJSON string `yaml:"health_json" format:"json-path" choice:"health_json"`
	// How the numbers of `health_json` become one: `each` leaves every instance its own, the others make a number of the function, unknown unless all ready instances say theirs.
	Combine string `yaml:"combine" default:"each" enum:"each|sum|mean|max|min"`
	// A query that Prometheus answers.
	Prometheus *PrometheusSignal `yaml:"prometheus" choice:"prometheus"`
	// A number in a JSON answer.
	HTTPJSON *HTTPSignal `yaml:"http_json" choice:"http_json"`
	// A number made of other signals: `queue / 10 + in_flight`. Signs are + - * / **, comparisons, and, or, not, `x > 1 ? 2 : 3`, `queue ?? 0` for what is unknown, and max, min, abs, ceil, floor, round.
	Formula string `yaml:"formula" choice:"formula"`
}

// PrometheusSignal asks a Prometheus, or what speaks its HTTP API, for one number.
type PrometheusSignal struct {
	// Where it is: `http://prometheus:9090`.
	URL string `yaml:"url" format:"signal-url" required:"true"`
	// Instant query in PromQL. Its result must be a scalar, or a vector of one; an empty one and NaN are unknown.
	Query string `yaml:"query" format:"nonempty" required:"true"`
	// Headers of the request; secrets as `${file:PATH}`.
	Headers map[string]string `yaml:"headers" format:"check-header"`
	// Time between two queries. What is older than three of them is unknown.
	Interval Duration `yaml:"interval" default:"15s" range:"100ms..1h"`
	// Time for one query to finish.
	Timeout Duration `yaml:"timeout" default:"5s" range:"10ms..1m"`
}

// HTTPSignal takes one number from a JSON document.
type HTTPSignal struct {
	// Where the document is.
	URL string `yaml:"url" format:"signal-url" required:"true"`
	// Way to the number: `queues.0.length`. Empty: the document is the number.
	Path string `yaml:"path" format:"json-path"`
	// Headers of the request; secrets as `${file:PATH}`.
	Headers map[string]string `yaml:"headers" format:"check-header"`
	// Time between two requests. What is older than three of them is unknown.
	Interval Duration `yaml:"interval" default:"15s" range:"100ms..1h"`
	// Time for one request to finish.
	Timeout Duration `yaml:"timeout" default:"5s" range:"10ms..1m"`
}
