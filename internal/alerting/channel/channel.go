// Package channel carries notifications about alerts to where people are: an
// Alertmanager, Slack, PagerDuty, mail, or any address that takes a POST. A
// channel sends once and says how it went; package alerting keeps what was not
// delivered and tries again.
//
//	kind          the receiver learns of                 told again by
//	alertmanager  every alert, while it fires            Repeater
//	webhook       a notification as JSON, signed
//	slack         a notification as text
//	email         a notification as text and HTML
//	pagerduty     one event per alert
//	heartbeat     that all is well                       every heartbeat
//
// What holds for all: one try has a deadline, of an answer the first 4 KiB are
// read, redirects are not followed, and no error holds an address beyond its
// host, because the rest of it is often the secret. Texts of alerts come from
// anywhere; each channel escapes them for its receiver.
package channel

import (
	"context"
	"errors"
	"time"
)

// Channel sends notifications to one receiver. Safe for concurrent use.
type Channel interface {
	// Name is the key of the channel in the configuration.
	Name() string
	// Kind is alertmanager, webhook, slack, pagerduty, email or heartbeat.
	Kind() string
	// Send delivers n or says why not, before ctx ends. It is called again with
	// the same n.ID until it returns nil or a refusal that will not change
	// (ErrRefused); where the receiver can tell doubles apart, it is given n.ID.
	// A *Later in the error says when the receiver wants to be asked again.
	Send(ctx context.Context, n *Notification) error
}

// Repeater is a channel whose receiver takes an alert for resolved when it hears
// nothing of it: what fires must be sent again.
type Repeater interface {
	Channel
	// Repeat is the time between two notifications about what still fires; 0: one
	// is enough.
	Repeat() time.Duration
}

// Wants reports whether c has a use for n. A channel that has none answers nil
// to Send and bothers nobody.
func Wants(c Channel, n *Notification) bool {
	w, ok := c.(interface{ wants(n *Notification) bool })
	return !ok || w.wants(n)
}

// ErrRefused is wrapped by errors that another try will not mend: a wrong
// address, a revoked key, a body the receiver does not understand.
var ErrRefused = errors.New("refused for good")

// Later is wrapped by errors of receivers that said when to come back.
//
//nolint:errname // it is a wish more than an error
type Later struct {
	After time.Duration
	Err   error
}

// Error implements error.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap implements errors.
func (l *Later) Unwrap() error { return l.Err }

// Notification is what one receiver is told at once: a group of alerts with the
// same cause or the same subject.
type Notification struct {
	// ID is the same for each try.
	ID string `json:"id"`
	// Group is the same for all notifications about the same thing: a receiver
	// updates what it has shown.
	Group string `json:"group"`
	// Test: somebody pressed the test button; nothing is wrong.
	Test bool `json:"test,omitempty"`
	// Heartbeat: all is well; whoever stops getting these should worry.
	Heartbeat bool      `json:"heartbeat,omitempty"`
	At        time.Time `json:"at"`
	// Alerts has the worst first; at most 100, More counts the others.
	Alerts []Alert `json:"alerts"`
	More   int     `json:"more,omitempty"`
	// Link leads to the page about the group.
	Link string `json:"link,omitempty"`
}

// Resolved tells whether nothing of the group is wrong any more.
func (n *Notification) Resolved() bool {
	for i := range n.Alerts {
		if n.Alerts[i].Ended.IsZero() {
			return false
		}
	}
	return true
}

// Alert is one thing that is wrong, or was.
type Alert struct {
	// ID is the same from its beginning to its end, Fingerprint also for the next
	// time: it stands for rule and subject.
	ID          string   `json:"id"`
	Fingerprint string   `json:"fingerprint"`
	Rule        string   `json:"rule"`
	Severity    Severity `json:"severity"`
	Function    string   `json:"function,omitempty"`
	Instance    string   `json:"instance,omitempty"`
	// Summary is one sentence with the numbers that matter.
	Summary string `json:"summary"`
	// Numbers are the figures behind it, by name with unit.
	Numbers map[string]float64 `json:"numbers,omitempty"`
	// Cause is the likely one, Next the step to take; either may be empty.
	Cause string `json:"cause,omitempty"`
	Next  string `json:"next,omitempty"`
	// Link leads to the chart.
	Link  string    `json:"link,omitempty"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended,omitzero"`
	// Labels are the rule's own, for routing elsewhere.
	Labels map[string]string `json:"labels,omitempty"`
}

// Severity is how bad it is.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical" // somebody must look now
	Warning  Severity = "warning"  // somebody should look today
	Info     Severity = "info"     // good to know
)
