package config

// Scaling says when instances are added and removed.
type Scaling struct {
	// Add and remove instances at all.
	Enabled bool `yaml:"enabled"`
	// Instances at least.
	MinInstances int `yaml:"min_instances" default:"1" range:"0..10000"`
	// Instances at most.
	MaxInstances int `yaml:"max_instances" default:"5" service:"10" range:"1..10000"`
	// Rest after a scaling action.
	CooldownPeriod Duration `yaml:"cooldown_period" default:"5m" range:"0..24h"`
	// Instances are added when any of these is crossed. 0: not used.
	ScaleUpThreshold ScaleUpThreshold `yaml:"scale_up_threshold"`
	// Instances are removed when all of these hold. 0: not used.
	ScaleDownThreshold ScaleDownThreshold `yaml:"scale_down_threshold"`
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
}
