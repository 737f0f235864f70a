package alerting

import (
	"slices"
	"time"
)

// grace is how long a cause explains its symptoms after it has ended: figures
// over a minute take their time to become well again.
const grace = 2 * time.Minute

// explains are the symptoms of each cause in the same function; "*" stands for
// all rules that somebody wrote.
func explains(cause string) []string {
	switch cause {
	case NoInstance:
		return []string{Errors, Latency, BreakerOpen, BreakerHalfOpen, InstanceFailed, PanicMode, Incident, "*"}
	case BreakerOpen:
		return []string{Errors, Latency, BreakerHalfOpen, Incident, "*"}
	case PlatformUnknown:
		return []string{InstanceFailed, ScalingFailed}
	case PanicMode:
		return []string{InstanceFailed}
	}
	return nil
}

// explainsEverywhere are the symptoms in all functions of a cause that lies in
// Holdfast or its store: a machine without processor time makes everything
// slow, and without the store nothing is known of last week.
func explainsEverywhere(cause string) []string {
	switch cause {
	case LoopLag:
		return []string{Latency, LoopLag}
	case StoreDown:
		return []string{Latency}
	}
	return nil
}

// cause returns the rule of an alert in force that explains s; empty: none.
// Among causes are those that ended a moment ago.
func cause(s *state, symptom bool, causes []*state) string {
	for _, c := range causes {
		if c.Rule == s.Rule && c.Function == s.Function {
			continue
		}
		list := explains(c.Rule)
		if c.Function == "" {
			list = explainsEverywhere(c.Rule)
		} else if c.Function != s.Function {
			continue
		}
		if slices.Contains(list, s.Rule) || symptom && slices.Contains(list, "*") {
			return c.Rule
		}
	}
	return ""
}
