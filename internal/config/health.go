package config

// anyStatus is the default of Health.Status.
const anyStatus = "200-399"

// Health says how instances are checked.
type Health struct {
	// Kind of check. `auto` asks `path` over HTTP, and any answer below 500 is a sign of life, because nobody promised that the path exists. Naming `path`, `status`, `body` or `json` chooses `http`, `service` chooses `grpc`, `command` chooses `exec`.
	Type string `yaml:"type" default:"auto" enum:"auto|http|tcp|grpc|exec"`
	// Path of the HTTP check. Empty: `health` below the first route.
	Path string `yaml:"path" format:"request-path" choice:"path"`
	// Port of the check. 0: the instance's own.
	Port int `yaml:"port" range:"0..65535"`
	// Method of the HTTP check.
	Method string `yaml:"method" default:"GET" format:"check-method"`
	// Host header of the HTTP check. Empty: the instance's own.
	Host string `yaml:"host" format:"host-header"`
	// Further headers of the HTTP check. The Host header is `host`.
	Headers map[string]string `yaml:"headers" format:"check-header"`
	// Statuses that count as healthy: single ones and ranges, separated by commas.
	Status string `yaml:"status" default:"200-399" format:"statuses"`
	// Text the body must contain. Empty: anything.
	Body string `yaml:"body"`
	// Conditions on the fields of a JSON answer: `status == ok`, `queue < 100`; a dot descends (`db.state == up`). All must hold.
	JSON []string `yaml:"json" format:"condition"`
	// Service asked for by the gRPC check. Empty: the server as a whole.
	Service string `yaml:"service" choice:"service"`
	// Command of the exec check; exit code 0 is healthy.
	Command []string `yaml:"command" choice:"command"`
	// Time between checks of a healthy instance.
	Interval Duration `yaml:"interval" default:"30s" range:"10ms..24h"`
	// Time between checks of an instance that is failing or has just failed.
	SuspectInterval Duration `yaml:"suspect_interval" default:"5s" range:"10ms..24h"`
	// Time for one check to finish.
	Timeout Duration `yaml:"timeout" default:"2s" range:"1ms..10m"`
	// Good checks in a row until a failed instance is healthy.
	Rise int `yaml:"rise" default:"2" range:"1..1000"`
	// Bad checks in a row until a healthy instance is failed.
	Fall int `yaml:"fall" default:"3" range:"1..1000"`
	// No checks: instances count as healthy until traffic says otherwise.
	Disabled bool `yaml:"disabled"`
}

// CircuitBreaker says when the function as a whole is given a rest. It counts
// finished exchanges, not attempts.
type CircuitBreaker struct {
	// No breaker.
	Disabled bool `yaml:"disabled"`
	// Failed exchanges in a row that open it. 0: only the window opens it.
	FailureThreshold int `yaml:"failure_threshold" default:"5" range:"0..1000000"`
	// Rest after the first opening.
	RecoveryTimeout Duration `yaml:"recovery_timeout" default:"60s" range:"1ms..24h"`
	// Longest rest after repeated openings. With another `recovery_timeout`, ten times that by default.
	MaxRecoveryTimeout Duration `yaml:"max_recovery_timeout" default:"10m" range:"1ms..240h"`
	// Exchanges tried at once after the rest, and successes that close it; one failure opens it again.
	HalfOpenMaxCalls int `yaml:"half_open_max_calls" default:"3" range:"1..1000"`
	// Factor on the rest for each further opening.
	Growth float64 `yaml:"growth" default:"2" range:"1..10"`
	// Random lengthening of repeated rests.
	JitterPercent float64 `yaml:"jitter_percent" default:"10" range:"0..100"`
	// Rates over the last calls or the last time. Off unless `calls` or `duration` is given.
	Window BreakerWindow `yaml:"window"`
}

// BreakerWindow opens the breaker on rates.
type BreakerWindow struct {
	// Look at this many last calls. Either this or `duration`.
	Calls int `yaml:"calls" range:"0..1000000" choice:"calls"`
	// Look at this much time, at least 10ms. Either this or `calls`.
	Duration Duration `yaml:"duration" range:"0..24h" choice:"duration"`
	// Calls in the window before rates count.
	MinimumCalls int `yaml:"minimum_calls" default:"20" range:"1..1000000"`
	// Share of failed calls that opens it. 0: not used.
	FailureRatePercent float64 `yaml:"failure_rate_percent" default:"50" range:"0..100"`
	// Share of slow calls that opens it. 0: not used.
	SlowCallRatePercent float64 `yaml:"slow_call_rate_percent" range:"0..100"`
	// A call that takes longer is slow.
	SlowCallDuration Duration `yaml:"slow_call_duration" default:"5s" range:"1ms..24h"`
}
