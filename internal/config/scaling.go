package config

// Scaling says when instances are added and removed.
type Scaling struct {
	// Add and remove instances at all.
	Enabled bool `yaml:"enabled"`
	// Instances at least. 0: the last one goes once nobody has asked for anything for `idle_time_minutes` (5 where that is 0); the next request starts one and is held until it is ready.
	MinInstances int `yaml:"min_instances" default:"1" range:"0..10000"`
	// Instances at most.
	MaxInstances int `yaml:"max_instances" default:"5" service:"10" range:"1..10000"`
	// Rest after a scaling action. With `targets` or `capacity` none unless written here.
	CooldownPeriod Duration `yaml:"cooldown_period" default:"5m" range:"0..24h"`
	// Instances are added when any of these is crossed. 0: not used. With `targets` or `capacity` only those written here are.
	ScaleUpThreshold ScaleUpThreshold `yaml:"scale_up_threshold"`
	// Instances are removed when all of these hold. 0: not used. With `targets` or `capacity` only those written here are.
	ScaleDownThreshold ScaleDownThreshold `yaml:"scale_down_threshold"`
	// Signals and the value each is kept at: `in_flight: 8`.
	Targets map[string]*ScalingTarget `yaml:"targets" format:"signal" max:"32"`
	// Signals of your own, by names that targets, thresholds and formulas know them by.
	Signals map[string]*ScalingSignal `yaml:"signals" format:"signal" max:"32"`
	// As many instances as make waiting rare, by the rate of requests and the time one takes.
	Capacity *ScalingCapacity `yaml:"capacity"`
	// What happens when a few seconds bring far too much work.
	Panic ScalingPanic `yaml:"panic"`
	// How fast instances are added.
	Up ScalingPace `yaml:"up"`
	// How fast instances are removed.
	Down ScalingPace `yaml:"down"`
	// How far a target or the capacity may be missed before anything is changed.
	TolerancePercent float64 `yaml:"tolerance_percent" default:"10" range:"0..99"`
	// Changes in an hour after which no more instances are removed in it. Adding goes on. 0: no limit.
	ChangesPerHour int `yaml:"changes_per_hour" range:"0..1000"`
	// How long an instance nearly always takes until it is ready. One that starts for twice as long has failed. 0: `ready_timeout` of the platform.
	Boot Duration `yaml:"boot" range:"0..1h"`
	// Other bounds at certain times, by name.
	Schedules map[string]*ScalingSchedule `yaml:"schedules" format:"label" max:"64"`
	// What the instances may cost.
	Budget ScalingBudget `yaml:"budget"`
	// Times after which what looks like load is load.
	Guards ScalingGuards `yaml:"guards"`
	// What becomes of decisions: `on` carries them out, `up-only` adds and never removes, `advisory` only shows what it would do, `paused` and `pinned` keep the number of instances. Bounds always hold.
	Mode ScalingMode `yaml:"mode"`
}

// ScaleUpThreshold is a set of limits; any one crossed adds an instance.
type ScaleUpThreshold struct {
	// CPU use of the instances.
	CPUPercent float64 `yaml:"cpu_percent" default:"70" service:"80" range:"0..100"`
	// Memory use of the instances.
	MemoryPercent float64 `yaml:"memory_percent" default:"80" service:"85" range:"0..100"`
	// Time to the first byte, in milliseconds.
	ResponseTimeMs float64 `yaml:"response_time_ms" default:"2000" service:"2000" range:"0..3600000"`
	// Failed exchanges. Not counted while the breaker is open.
	ErrorRatePercent float64 `yaml:"error_rate_percent" default:"5" service:"0" range:"0..100"`
	// Open connections per instance.
	ActiveConnections int `yaml:"active_connections" default:"0" service:"100" range:"0..1000000"`
	// Limits of further signals, those of `signals` too: `queue: 100`.
	Signals map[string]float64 `yaml:"signals" format:"signal" max:"32"`
	// How many instances are added; the step with the largest `over_percent` that was passed counts. Empty: one.
	Steps []ScalingStep `yaml:"steps" max:"32"`
}

// ScaleDownThreshold is a set of limits; all must hold to remove an instance.
type ScaleDownThreshold struct {
	// CPU use of the instances.
	CPUPercent float64 `yaml:"cpu_percent" default:"30" service:"30" range:"0..100"`
	// Memory use of the instances.
	MemoryPercent float64 `yaml:"memory_percent" default:"40" service:"40" range:"0..100"`
	// Time to the first byte, in milliseconds.
	ResponseTimeMs float64 `yaml:"response_time_ms" default:"1000" service:"500" range:"0..3600000"`
	// Failed exchanges.
	ErrorRatePercent float64 `yaml:"error_rate_percent" range:"0..100"`
	// Open connections per instance.
	ActiveConnections int `yaml:"active_connections" default:"0" service:"20" range:"0..1000000"`
	// Minutes without a request.
	IdleTimeMinutes float64 `yaml:"idle_time_minutes" default:"10" service:"0" range:"0..100000"`
	// Limits of further signals, those of `signals` too: `queue: 10`.
	Signals map[string]float64 `yaml:"signals" format:"signal" max:"32"`
	// How many instances are removed at once.
	Remove int `yaml:"remove" default:"1" range:"1..10000"`
}
