package config

// LoadBalancing says how an instance is chosen.
type LoadBalancing struct {
	// Rule of the choice.
	Strategy string `yaml:"strategy" default:"p2c" enum:"round-robin|weighted-round-robin|least-connections|response-time|health-based|p2c|prequal|consistent-hash|random"`
	// Zone this gateway runs in.
	Zone string `yaml:"zone" format:"label"`
	// Region this gateway runs in.
	Region string `yaml:"region" format:"label"`
	// How much more than its share a priority level can carry: with 1.4 it keeps all traffic until fewer than 71 % of it are healthy.
	OverprovisioningFactor float64 `yaml:"overprovisioning_factor" default:"1.4" range:"1..10"`
	// Share of healthy instances below which health is ignored. 0: only when nobody is left.
	PanicThresholdPercent float64 `yaml:"panic_threshold_percent" range:"0..100"`
	// What `consistent-hash` hashes. One of them; `client_ip` by default.
	HashOn HashOn `yaml:"hash_on"`
	// With `consistent-hash`: how far above the average an instance may be loaded before the next one is taken.
	HashBalanceFactor float64 `yaml:"hash_balance_factor" default:"1.25" range:"1..100"`
	// Keeps a client on its instance. Off unless one kind is given.
	Affinity Affinity `yaml:"affinity"`
	// Gentle start of an instance that is new or back from failure.
	SlowStart SlowStart `yaml:"slow_start"`
	// Takes an instance out by its own results.
	Ejection Ejection `yaml:"ejection"`
}

// HashOn names the one part of a request that is hashed.
type HashOn struct {
	// Name of a header.
	Header string `yaml:"header" format:"header-name" choice:"header"`
	// Name of a cookie.
	Cookie string `yaml:"cookie" format:"token" choice:"cookie"`
	// Address of the client.
	ClientIP bool `yaml:"client_ip" choice:"client_ip"`
	// Path of the request.
	Path bool `yaml:"path" choice:"path"`
}

// Affinity keeps a client on its instance, by one of three marks.
type Affinity struct {
	// Name of a signed cookie that Holdfast sets.
	Cookie string `yaml:"cookie" format:"token" choice:"cookie"`
	// Name of a request header whose value stands for the client.
	Header string `yaml:"header" format:"header-name" choice:"header"`
	// The client's address stands for the client.
	ClientIP bool `yaml:"client_ip" choice:"client_ip"`
	// How long after its last request a client is remembered.
	TTL Duration `yaml:"ttl" default:"1h" range:"1s..8760h"`
	// Send the cookie over HTTPS only.
	Secure bool `yaml:"secure"`
	// SameSite attribute of the cookie. `none` needs `secure`.
	SameSite string `yaml:"same_site" default:"lax" enum:"lax|strict|none"`
}

// SlowStart ramps up the share of an instance that is new or back.
type SlowStart struct {
	// Length of the ramp. 0: off.
	Window Duration `yaml:"window" range:"0..24h"`
	// Shape of the ramp: 1 is a straight line, more starts faster.
	Aggression float64 `yaml:"aggression" default:"1" range:"0.01..100"`
	// Share at the beginning.
	MinWeightPercent float64 `yaml:"min_weight_percent" default:"10" range:"0.1..100"`
}

// Ejection takes an instance out of rotation by its own results. It counts
// attempts, not exchanges.
type Ejection struct {
	// No ejection.
	Disabled bool `yaml:"disabled"`
	// Failed attempts in a row. 0: not used.
	ConsecutiveFailures int `yaml:"consecutive_failures" default:"5" range:"0..1000000"`
	// Share of failed attempts. 0: not used.
	FailureRatePercent float64 `yaml:"failure_rate_percent" default:"50" range:"0..100"`
	// Attempts before rates count.
	MinRequests int `yaml:"min_requests" default:"20" range:"1..1000000"`
	// Ejected when slower than the median of the others by this factor, at least 1. 0: not used.
	LatencyFactor float64 `yaml:"latency_factor" default:"3" range:"0..1000"`
	// Length of the first ejection; it grows with each further one.
	BaseTime Duration `yaml:"base_time" default:"30s" range:"1ms..24h"`
	// Longest ejection.
	MaxTime Duration `yaml:"max_time" default:"5m" range:"1ms..24h"`
	// Share of instances that may be ejected at once, but always one, and never so many that less than half is left.
	MaxPercent float64 `yaml:"max_percent" default:"34" range:"0..100"`
}
