package admin

import "time"

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
