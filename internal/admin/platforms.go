package admin

import (
	"fmt"
	"strings"
	"time"
)

// PlatformStatus is what is known of the platform a function's instances run on.
type PlatformStatus struct {
	// Name is process, docker-swarm or kubernetes.
	Name string `json:"name"`
	// Desired is how many instances were last asked for.
	Desired int `json:"desired"`
	// Version is what the instances should run; Deploying: not all do yet.
	Version   string `json:"version,omitempty"`
	Deploying bool   `json:"deploying,omitempty"`
	// SeenAt is when the platform last told how things are.
	SeenAt time.Time `json:"seen_at,omitzero"`
	// Trouble says why nothing is known now: instances stay as they were last
	// seen, and nothing is scaled.
	Trouble string `json:"trouble,omitempty"`
	// Owner is somebody else who sets the number of instances; Holdfast leaves it
	// alone.
	Owner string `json:"owner,omitempty"`
	// Failure says why the last order was not taken.
	Failure string `json:"failure,omitempty"`
	// BootMS is how long instances nearly always took lately until they were
	// ready; missing: none was seen.
	BootMS float64 `json:"boot_ms,omitempty" doc:"95 % of the last starts were ready within it; missing: none was seen"`
	// Spares are those kept ready; missing: none are to be.
	Spares *Spares `json:"warm_spares,omitempty"`
}

// Spares are processes that are ready and get no traffic before more instances
// are wanted. They are counted nowhere else.
type Spares struct {
	Wanted int `json:"wanted"`
	Ready  int `json:"ready" doc:"those that run and pass their checks"`
	// BootMS is the same as that of PlatformStatus, of spares that became instances.
	BootMS float64 `json:"boot_ms,omitempty" doc:"95 % of the last ones took traffic within it; missing: none was needed yet"`
}

// platform returns nil where the instances are listed.
func (s *Server) platform(function string) *PlatformStatus {
	if s.config.Platform == nil {
		return nil
	}
	v, ok := s.config.Platform(function)
	if !ok {
		return nil
	}
	return &v
}

// problems are what is wrong with it; it may be nil.
func (p *PlatformStatus) problems() []string {
	if p == nil {
		return nil
	}
	var list []string
	if p.Trouble != "" {
		list = append(list, "nothing is known of "+p.Name+" now, its instances stay as they were and nothing is scaled: "+p.Trouble)
	}
	if p.Owner != "" {
		list = append(list, p.Owner+" sets the number of instances too, so Holdfast does not")
	}
	if p.Failure != "" {
		list = append(list, p.Failure)
	}
	return list
}

// bootSentence says how long the next instance may take; empty: nothing is known.
func (p *PlatformStatus) bootSentence() string {
	var parts []string
	if s := p.Spares; s != nil {
		text := fmt.Sprintf("%d of %d warm spares are ready and become instances at once", s.Ready, s.Wanted)
		if s.BootMS > 0 {
			text += fmt.Sprintf(", lately within %.3g ms", s.BootMS)
		}
		parts = append(parts, text)
	}
	if p.BootMS > 0 {
		parts = append(parts, fmt.Sprintf("what is started is ready within %.3g s (95 %% of the last ones)", p.BootMS/1000))
	}
	return strings.Join(parts, "; ")
}
