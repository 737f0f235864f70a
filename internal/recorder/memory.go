package recorder

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"holdfast/breaker"
	"holdfast/internal/store"
)

// Memory is what the last Holdfast on this node left behind. The nil Memory
// remembers nothing.
type Memory struct {
	breakers map[string]store.Breaker
	health   map[string]remembered
}

type remembered struct {
	health
	at time.Time
}

// healthAge is how old a verdict of a health check may be to still count after
// a restart.
const healthAge = 10 * time.Minute

// States is what a store has to tell.
type States interface {
	Breakers(ctx context.Context) ([]store.Breaker, error)
	NodeStates(ctx context.Context, node, kind string) ([]store.NodeState, error)
}

// Recall reads what was kept. waiting are the states that an earlier process
// could not bring to the store; they are newer.
func Recall(ctx context.Context, s States, node string, waiting []store.State) (*Memory, error) {
	m := &Memory{breakers: map[string]store.Breaker{}, health: map[string]remembered{}}
	breakers, err := s.Breakers(ctx)
	if err == nil {
		var states []store.NodeState
		if states, err = s.NodeStates(ctx, node, "health"); err == nil {
			for _, b := range breakers {
				m.add(b, node)
			}
			for _, n := range states {
				m.add(n, node)
			}
		}
	}
	for _, state := range waiting {
		m.add(state, node)
	}
	if err != nil {
		return m, fmt.Errorf("recall states: %w", err)
	}
	return m, nil
}

func (m *Memory) add(s store.State, node string) {
	switch s := s.(type) {
	case store.Breaker:
		if old, known := m.breakers[s.Function]; !known || !s.UpdatedAt.Before(old.UpdatedAt) {
			m.breakers[s.Function] = s
		}
	case store.NodeState:
		var h health
		if s.Node != node || s.Kind != "health" || json.Unmarshal(s.Data, &h) != nil {
			return
		}
		if old, known := m.health[s.Name]; !known || !s.UpdatedAt.Before(old.at) {
			m.health[s.Name] = remembered{h, s.UpdatedAt}
		}
	}
}

// Breaker restores a function's breaker: one that was open or half-open is
// open until its next attempt. It reports whether there was something to
// restore.
func (m *Memory) Breaker(function string, b *breaker.Breaker, now time.Time) (bool, error) {
	if m == nil || b == nil {
		return false, nil
	}
	row, known := m.breakers[function]
	if !known || row.State == breaker.Closed.String() {
		return false, nil
	}
	state, err := breaker.ParseState(row.State)
	if err != nil {
		return false, fmt.Errorf("restore breaker of %s: %w", function, err)
	}
	var more breakerPicture
	if len(row.Config) > 0 {
		if err := json.Unmarshal(row.Config, &more); err != nil {
			return false, fmt.Errorf("restore breaker of %s: %w", function, err)
		}
	}
	err = b.Restore(breaker.Snapshot{
		State: state, Since: more.Since, FailureCount: row.FailureCount, LastFailure: row.LastFailure,
		NextAttempt: row.NextAttempt, Openings: more.Openings, Forced: more.Forced, Reason: more.Reason,
	}, now)
	if err != nil {
		return false, fmt.Errorf("restore breaker of %s: %w", function, err)
	}
	return true, nil
}

// WasUp says whether an instance at this endpoint was up when it was last
// checked, not long ago.
func (m *Memory) WasUp(function, instance, endpoint string, now time.Time) bool {
	if m == nil {
		return false
	}
	h, known := m.health[RowID(function, instance)]
	return known && h.Up && h.Endpoint == endpoint && now.Sub(h.at) < healthAge
}
