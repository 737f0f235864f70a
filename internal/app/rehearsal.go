package app

import (
	"holdfast/autoscale"
	"holdfast/internal/config"
)

// ScalingPolicy is how a function would be scaled, for rehearsals. Where
// Holdfast starts no instances itself the platform's limits are left out.
func ScalingPolicy(f *config.Function) autoscale.Policy {
	copied := *f
	if copied.Platform.Process == nil {
		copied.Platform.Process = &config.Process{}
	}
	return scalingPolicyOf(&copied)
}
