package swarm

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	api "github.com/moby/moby/api/types/swarm"

	"holdfast/internal/platform"
)

// ledger is what is remembered of versions, and kept over restarts.
type ledger struct {
	Service string `json:"service"` // its id: one that was made anew begins anew
	// Versions ran on all instances at once, the latest last.
	Versions []kept `json:"versions"`
	// Undone were rolled back: nothing goes back to them.
	Undone []string `json:"undone,omitempty"`

	floor uint64 // what was read at this version index or before it is outdated
}

// kept is a version that can be gone back to.
type kept struct {
	Version  string          `json:"version"`
	Proven   bool            `json:"proven"`   // it ran for Config.ProvenAfter
	Template json.RawMessage `json:"template"` // the TaskTemplate as the engine wrote it
}

const (
	keptVersions = 4
	keptUndone   = 8
)

func readLedger(b []byte) (ledger, error) {
	var l ledger
	if len(b) == 0 {
		return l, nil
	}
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("read the versions that were kept: %w", err)
	}
	return l, nil
}

func (l *ledger) write() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		return nil // cannot be: the templates were read from JSON
	}
	return b
}

// learn files the version that runs, if it does on all instances.
func (d *Driver) learn(s *service, o *platform.Observation) {
	d.keeping.Lock()
	defer d.keeping.Unlock()
	if text := d.learned(s, o); text != nil && d.cfg.Keep != nil {
		d.cfg.Keep(text)
	}
}

// learned returns what to keep if that changed, else nil.
func (d *Driver) learned(s *service, o *platform.Observation) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := &d.ledger
	if s.ID != l.Service {
		*l = ledger{Service: s.ID}
	}
	if o.Desired == 0 || o.Deploying || !settled(o) || s.Version.Index <= l.floor {
		return nil
	}
	if !l.see(o.Version, o.At.Sub(latest(o)) >= d.cfg.ProvenAfter, s.spec) {
		return nil
	}
	return l.write()
}

// latest is when the last instance began to run.
func latest(o *platform.Observation) time.Time {
	var at time.Time
	for n := range o.Instances {
		if i := &o.Instances[n]; i.Since.After(at) {
			at = i.Since
		}
	}
	return at
}

// see reports whether that changed anything.
func (l *ledger) see(v string, proven bool, spec json.RawMessage) bool {
	at := slices.IndexFunc(l.Versions, func(k kept) bool { return k.Version == v })
	if at >= 0 && at == len(l.Versions)-1 && (l.Versions[at].Proven || !proven) {
		return false
	}
	var now struct{ TaskTemplate json.RawMessage }
	if json.Unmarshal(spec, &now) != nil || now.TaskTemplate == nil {
		return false // cannot be: the service was read from it
	}
	k := kept{Version: v, Proven: proven, Template: now.TaskTemplate}
	if at >= 0 {
		k.Proven = proven || l.Versions[at].Proven
		l.Versions = slices.Delete(l.Versions, at, at+1)
	}
	l.Versions = append(l.Versions, k)
	l.Versions = l.Versions[max(0, len(l.Versions)-keptVersions):]
	l.Undone = slices.DeleteFunc(l.Undone, func(u string) bool { return u == v }) // it came again
	return true
}

// before is the template of the version to go back to from the present one: the
// latest that was proven, else the latest that ran, else what the swarm has.
func (l *ledger) before(s *service) (json.RawMessage, error) {
	present := version(&s.Spec.TaskTemplate)
	other := func(v string) bool { return v != present && !slices.Contains(l.Undone, v) }
	for _, proven := range []bool{true, false} {
		for _, k := range slices.Backward(l.Versions) {
			if k.Proven == proven && other(k.Version) && l.Service == s.ID {
				return k.Template, nil
			}
		}
	}
	if s.PreviousSpec != nil && other(version(&s.PreviousSpec.TaskTemplate)) {
		var was struct{ TaskTemplate json.RawMessage }
		if err := json.Unmarshal(s.previous, &was); err != nil {
			return nil, fmt.Errorf("read the version before: %w", err)
		}
		return was.TaskTemplate, nil
	}
	return nil, platform.ErrNoEarlier
}

// undo files that a version was left, with the update that followed index.
func (l *ledger) undo(t *api.TaskSpec, index uint64) {
	v := version(t)
	l.Versions = slices.DeleteFunc(l.Versions, func(k kept) bool { return k.Version == v })
	l.Undone = append(l.Undone, v)
	l.Undone = l.Undone[max(0, len(l.Undone)-keptUndone):]
	l.floor = index
}
