package swarm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	api "github.com/moby/moby/api/types/swarm"

	"holdfast/internal/platform"
)

const versionLen = 12

// version names what a task runs: a hash of its template. Left out is what says
// only where tasks may run, for swarm does not replace tasks that are in the
// right place already, and what it writes into services and not into tasks.
func version(t *api.TaskSpec) string {
	only := *t
	only.Placement, only.Runtime = nil, ""
	text, err := json.Marshal(&only)
	if err != nil {
		return "" // cannot be: it was read from JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:versionLen]
}

func replicas(s *api.Service) int {
	if n := s.Spec.Mode.Replicated.Replicas; n != nil {
		return int(*n)
	}
	return 1 // what swarm makes of it
}

// deploying: the swarm replaces tasks, or has not replaced all.
func deploying(s *api.Service, o *platform.Observation) bool {
	if u := s.UpdateStatus; u != nil && (u.State == api.UpdateStateUpdating || u.State == api.UpdateStateRollbackStarted) {
		return true
	}
	for n := range o.Instances {
		if o.Instances[n].Version != o.Version {
			return true
		}
	}
	return false
}
