package alerting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/alerting/channel"
)

// Standing is an alert with what stands against telling it.
type Standing struct {
	channel.Alert
	Muting

	State    string    `json:"state" enum:"pending,firing,resolved"`
	Since    time.Time `json:"since" doc:"when it began to be wrong"`
	Flapping bool      `json:"flapping,omitempty" doc:"it comes and goes, and is told once"`
	Told     bool      `json:"told" doc:"the channels have it, or have it in their queues"`
}

// Firing returns what fires and is told, the worst first.
func (s *Service) Firing() []channel.Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.Firing()
}

// List returns all that fires or is about to, the worst first, and what was
// resolved lately, the newest first.
func (s *Service) List() (standing []Standing, recent []channel.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*state
	for _, x := range s.book.states {
		all = append(all, x)
	}
	slices.SortFunc(all, worse)
	for _, x := range all {
		v := Standing{Alert: x.Alert, Muting: x.muted, State: "firing", Since: x.Since, Flapping: x.Flapping, Told: x.Told}
		if x.Pending {
			v.State, v.Began = "pending", x.Since
		}
		standing = append(standing, v)
	}
	return standing, slices.Clone(s.book.recent)
}

// Silences returns those in force, those to come, and those that ended within
// the hour.
func (s *Service) Silences() []Silence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.book.silences)
}

// Silence adds one; its ID and, when zero, its beginning are set here. Errors
// wrap ErrBadSilence.
func (s *Service) Silence(q Silence, now time.Time) (Silence, error) {
	if q.From.IsZero() {
		q.From = now
	}
	if err := q.check(now); err != nil {
		return Silence{}, err
	}
	id := uuid.NewString()
	q.ID, _, _ = strings.Cut(id, "-")
	s.mu.Lock()
	if len(s.book.silences) >= maxSilences {
		s.mu.Unlock()
		return Silence{}, fmt.Errorf("%w: there are %d already; end some", ErrBadSilence, maxSilences)
	}
	s.book.silences = append(s.book.silences, q)
	s.book.changed = true
	s.mu.Unlock()
	s.wake()
	return q, nil
}

// Unsilence ends one. ErrNoSilence: there is none, or it has ended.
func (s *Service) Unsilence(id string, now time.Time) error {
	s.mu.Lock()
	i := slices.IndexFunc(s.book.silences, func(q Silence) bool { return q.ID == id && now.Before(q.Until) })
	if i >= 0 {
		s.book.silences[i].Until = now
		s.book.changed = true
	}
	s.mu.Unlock()
	if i < 0 {
		return ErrNoSilence
	}
	s.wake()
	return nil
}

// Maintenance is a window and whether it is open now.
type Maintenance struct {
	Name      string    `json:"name"`
	Functions []string  `json:"functions,omitempty" doc:"missing: everything"`
	Reason    string    `json:"reason,omitempty"`
	Open      bool      `json:"open"`
	From      time.Time `json:"from,omitzero"`
	Until     time.Time `json:"until,omitzero"`
}

// Windows returns the maintenance windows.
func (s *Service) Windows(now time.Time) []Maintenance {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Maintenance{}
	for i := range s.book.windows {
		w := &s.book.windows[i]
		list = append(list, Maintenance{Name: w.Name, Functions: w.Functions, Reason: w.Reason, Open: w.open(now), From: w.From, Until: w.Until})
	}
	return list
}

// Deliveries says how it goes with each channel, by name.
func (s *Service) Deliveries() []Delivery {
	list := []Delivery{}
	for _, one := range s.all() {
		list = append(list, one.delivery())
	}
	slices.SortFunc(list, func(a, b Delivery) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// ErrNoChannel says that no channel has the name.
var ErrNoChannel = errors.New("there is no such channel")

// Test sends a test notification at once, past the queue, and says how that
// went.
func (s *Service) Test(ctx context.Context, name, by string) error {
	one := s.sender(name)
	if one == nil {
		return ErrNoChannel
	}
	now := time.Now()
	n := &channel.Notification{ID: "test-" + uuid.NewString(), Group: "test", Test: true, At: now}
	n.Alerts = []channel.Alert{{
		ID: n.ID, Fingerprint: fingerprint("test", "", "", name), Rule: "test", Severity: channel.Info, Began: now,
		Summary: "this is a test of channel " + name + ", ordered by " + by + "; nothing is wrong",
	}}
	err := one.send(ctx, n)
	if err == nil {
		one.succeeded(time.Now())
	}
	return err
}
