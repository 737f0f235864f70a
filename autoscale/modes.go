package autoscale

import "time"

// ModeKind says what becomes of decisions.
type ModeKind string

// The modes.
const (
	// On carries decisions out: the default.
	On ModeKind = ""
	// UpOnly adds and never removes.
	UpOnly ModeKind = "up_only"
	// Advisory decides as ever and carries nothing out.
	Advisory ModeKind = "advisory"
	// Paused keeps the number of instances. It needs Until: a pause that
	// nobody ends is an outage that waits for its load.
	Paused ModeKind = "paused"
	// Pinned keeps the number of instances at At.
	Pinned ModeKind = "pinned"
)

// Mode is what becomes of decisions, and until when.
type Mode struct {
	Kind ModeKind `json:"kind,omitempty"`
	// Until is when On comes back by itself; zero: never.
	Until time.Time `json:"until,omitzero"`
	// At is the number of instances of Pinned.
	At int `json:"at,omitempty"`
}

func (m Mode) normal() Mode {
	m.Until = plain(m.Until)
	return m
}

func (m Mode) validate(add complain) {
	switch m.Kind {
	case On, UpOnly, Advisory, Paused, Pinned:
	default:
		add(true, "Mode.Kind must be up_only, advisory, paused or pinned, is %q", m.Kind)
	}
	add(m.Kind == Paused && m.Until.IsZero(), "Mode.Until is missing: say until when scaling is paused")
	add(m.At < 0 || m.Kind != Pinned && m.At != 0, "Mode.At must be 0 or more, and is for pinned only, is %d", m.At)
}

// mode is the mode in force now.
func (d *deciding) mode() ModeKind {
	if m := d.Mode; m.Until.IsZero() || d.now.Before(m.Until) {
		return m.Kind
	}
	return On
}

// acts says whether the decision is to be carried out.
func (d *deciding) acts() bool {
	m := d.mode()
	return m != Advisory && m != Paused
}

func (m Mode) until() string {
	if m.Until.IsZero() {
		return ""
	}
	return " until " + m.Until.Format(time.RFC3339)
}

// moded does what the mode says.
func (d *deciding) moded(want int) int {
	switch d.mode() {
	case UpOnly:
		return d.constrain(ByMode, want, max(want, d.current), "instances are only added")
	case Paused:
		return d.constrain(ByMode, want, d.current, "paused%s", d.Mode.until())
	case Pinned:
		return d.constrain(ByMode, want, d.Mode.At, "pinned at %d%s", d.Mode.At, d.Mode.until())
	case On, Advisory:
	}
	return want
}
