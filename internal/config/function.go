package config

// Function is one named service behind the gateway.
type Function struct {
	// Which set of scaling defaults holds: a short-lived `function` or a long-running `service`.
	Profile string `yaml:"profile" default:"function" enum:"function|service"`
	// false: recovery and scaling rest, traffic still flows.
	Enabled bool `yaml:"enabled" default:"true"`
	// Requests that belong to this function. The most specific route of all functions wins: host, then the longer path, then methods, then headers.
	Routes []Route `yaml:"routes"`
	// How instances are checked.
	Health Health `yaml:"health"`
	// When the function as a whole is given a rest.
	CircuitBreaker CircuitBreaker `yaml:"circuit_breaker"`
	// How an instance is chosen.
	LoadBalancing LoadBalancing `yaml:"load_balancing"`
	// When an attempt is followed by another one.
	Retry Retry `yaml:"retry"`
	// How long things may take.
	Timeouts Timeouts `yaml:"timeouts"`
	// How many exchanges may run at once.
	Concurrency Concurrency `yaml:"concurrency"`
	// How long a request is held while every usable instance is still starting. 0: not at all.
	WaitForInstance Duration `yaml:"wait_for_instance" default:"2s" range:"0..10m"`
	// When instances are added and removed; only those of a `platform`. `min_instances` and `max_instances` also bound what is ordered with `holdfast function scale`.
	Scaling Scaling `yaml:"scaling"`
	// What a client gets when the breaker is open or no instance is left: a static answer, another function, or a redirect.
	Fallback Fallback `yaml:"fallback"`
	// Host header sent to the instance: the client's (`preserve`) or the instance's own (`instance`).
	Host string `yaml:"host" default:"preserve" enum:"preserve|instance"`
	// Endpoints that run somewhere else. Either these or `platform`.
	Instances []Instance `yaml:"instances" max:"10000" choice:"instances"`
	// Where the instances run, when Holdfast starts them itself or asks a platform for them. Either this or `instances`.
	Platform Platform `yaml:"platform" choice:"platform"`
}

// Route is one match; all that it names must hold.
type Route struct {
	// Host name of the request, without port: `api.example.com`, or `*.example.com` for every name below it. Empty: any.
	Host string `yaml:"host" format:"route-host"`
	// Beginning of the path. `/api/` matches everything below it, `/api` also itself.
	Path string `yaml:"path" default:"/" format:"path"`
	// The path must be equal, not only begin so.
	Exact bool `yaml:"exact"`
	// Methods, in capitals. Empty: any.
	Methods []string `yaml:"methods" format:"method"`
	// Headers and the value each must have; `*` is any value.
	Headers map[string]string `yaml:"headers" format:"header"`
	// Remove `path` from the beginning before the request is sent on.
	StripPrefix bool `yaml:"strip_prefix"`
}

// Instance is one running endpoint.
type Instance struct {
	// Name of the instance, unique in its function. Empty: host and port of the URL.
	ID string `yaml:"id" format:"instance-id"`
	// Where it listens: `http://host:port` or `https://host:port`, nothing behind it.
	URL string `yaml:"url" format:"instance-url" required:"true"`
	// Share of the traffic, relative to the others.
	Weight int `yaml:"weight" default:"1" range:"1..1000"`
	// 0 is primary; higher numbers take traffic only when lower ones cannot take it all.
	Priority int `yaml:"priority" range:"0..100"`
	// Zone it runs in; instances in Holdfast's own zone are preferred.
	Zone string `yaml:"zone" format:"label"`
	// Region it runs in; preferred after the zone.
	Region string `yaml:"region" format:"label"`
	// Requests it may have at once. 0: no limit.
	MaxInFlight int `yaml:"max_in_flight" range:"0..1000000"`
}

// Retry says when an attempt is followed by another one.
type Retry struct {
	// Extra tries after the first attempt. 0: none.
	Attempts int `yaml:"attempts" default:"2" range:"0..5"`
	// Upper bound of the random wait before the first extra try on the same instance; it doubles with each. A try on another instance does not wait.
	BaseDelay Duration `yaml:"base_delay" default:"25ms" range:"1ms..1m"`
	// Upper bound of any such wait.
	MaxDelay Duration `yaml:"max_delay" default:"250ms" range:"1ms..5m"`
	// Answers worth another try.
	Statuses []int `yaml:"statuses" default:"500,502,503,504" range:"400..599"`
	// Also repeat POST, PATCH and the like once they may have reached an instance. Only for applications that recognise repeats.
	NonIdempotent bool `yaml:"non_idempotent"`
	// Longest request body kept for a repeat. A longer one is sent once.
	BodyLimit Bytes `yaml:"body_limit" default:"64KiB" range:"0..64MiB"`
	// Bound on extra tries over all requests of the function.
	Budget RetryBudget `yaml:"budget"`
}

// RetryBudget keeps retries from multiplying an overload.
type RetryBudget struct {
	// Extra tries as a share of requests.
	Percent float64 `yaml:"percent" default:"20" range:"0..1000"`
	// Extra tries per second that are always allowed.
	MinPerSecond float64 `yaml:"min_per_second" default:"10" range:"0..1000000"`
}

// Timeouts bound one exchange. 0 means no limit.
type Timeouts struct {
	// Time to connect to an instance.
	Connect Duration `yaml:"connect" default:"2s" range:"1ms..10m"`
	// Time from the start of an attempt to the head of its answer. At most `exchange`, and no longer than it by default.
	Attempt Duration `yaml:"attempt" default:"30s" range:"0..24h"`
	// Time from the arrival of a request to the head of its answer, all attempts and waits together.
	Exchange Duration `yaml:"exchange" default:"60s" range:"0..24h"`
	// Time without a byte of a body or stream in either direction.
	Idle Duration `yaml:"idle" default:"5m" range:"0..24h"`
}

// Concurrency bounds how many exchanges run at once.
type Concurrency struct {
	// Exchanges in flight at most. 0: no limit.
	MaxInFlight int `yaml:"max_in_flight" range:"0..1000000"`
	// Where requests above the limit wait.
	Queue Queue `yaml:"queue"`
}

// Queue holds requests above the concurrency limit.
type Queue struct {
	// Requests that may wait. 0: none, they are refused at once.
	Size int `yaml:"size" range:"0..1000000"`
	// How long each may wait.
	Timeout Duration `yaml:"timeout" default:"1s" range:"1ms..10m"`
}

// Fallback is the answer when no instance can give one. One kind: a static
// answer, a function, or a redirect.
type Fallback struct {
	// Status of the answer. With `redirect` a 3xx, 307 by default.
	Status int `yaml:"status" default:"503" range:"200..599"`
	// Body of the answer. Empty: one line that says what happened.
	Body string `yaml:"body" choice:"body"`
	// Content-Type of the body.
	ContentType string `yaml:"content_type" default:"text/plain; charset=utf-8" format:"header-value"`
	// Further headers of the answer.
	Headers map[string]string `yaml:"headers" format:"header"`
	// Name of the function that answers instead.
	Function string `yaml:"function" choice:"function"`
	// URL or path the client is sent to. Behind one that ends in `*`, path and query of the request are appended.
	Redirect string `yaml:"redirect" format:"redirect" choice:"redirect"`
}
