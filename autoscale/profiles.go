package autoscale

import "time"

// FunctionPolicy is the usual policy of a function that works on one request
// at a time for a while: 1 to 5 instances, by thresholds, removed only when
// idle.
func FunctionPolicy() Policy {
	return Policy{
		Min: 1, Max: 5, Cooldown: 5 * time.Minute,
		Thresholds: Thresholds{
			Up:      map[Signal]float64{CPUPercent: 70, MemoryPercent: 80, ResponseTimeMS: 2000, ErrorRatePercent: 5},
			Down:    map[Signal]float64{CPUPercent: 30, MemoryPercent: 40, ResponseTimeMS: 1000},
			IdleFor: 10 * time.Minute,
		},
	}
}

// ServicePolicy is the usual policy of a service that works on many requests
// at once: 1 to 10 instances, by thresholds, removed when little is going on.
func ServicePolicy() Policy {
	return Policy{
		Min: 1, Max: 10, Cooldown: 5 * time.Minute,
		Thresholds: Thresholds{
			Up:   map[Signal]float64{CPUPercent: 80, MemoryPercent: 85, ActiveConnections: 100, ResponseTimeMS: 2000},
			Down: map[Signal]float64{CPUPercent: 30, MemoryPercent: 40, ActiveConnections: 20, ResponseTimeMS: 500},
		},
	}
}
