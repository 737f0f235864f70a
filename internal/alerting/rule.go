package alerting

import (
	"slices"
	"time"

	"holdfast/internal/alerting/channel"
)

// Rule says how bad something is and how long it must last. What it looks for
// is in judge.go for those built in, else in Formula or Objective.
type Rule struct {
	Name     string
	Off      bool
	Severity channel.Severity
	// For is how long something must be wrong before it fires.
	For time.Duration
	// Keep is how long it must be well before it is resolved.
	Keep time.Duration
	// Settle is how long after a start its figures take: until then nothing that
	// fired before is taken for well.
	Settle time.Duration
	// Below is a limit of the rule's own: the days of certificate.
	Below float64
	// Cause and Next go into the alert where a finding has none.
	Cause, Next string
	// SaidCause and SaidNext are somebody's own words, which go before all others.
	SaidCause, SaidNext string
	Labels              map[string]string
	// Functions are those it looks at; none: all.
	Functions []string

	Formula   *Formula   // nil: not a formula
	Objective *Objective // nil: not a burn rate
}

// The rules built in.
const (
	BreakerOpen     = "breaker_open"
	BreakerHalfOpen = "breaker_half_open"
	NoInstance      = "no_instance"
	InstanceFailed  = "instance_failed"
	PanicMode       = "panic"
	Failover        = "failover"
	ScalingAction   = "scaling_action"
	ScalingFailed   = "scaling_failed"
	ScalingLimit    = "scaling_limit"
	Incident        = "incident"
	Errors          = "errors"
	Latency         = "latency"
	Memory          = "memory"
	LoopLag         = "loop_lag"
	CertificateEnds = "certificate"
	PlatformUnknown = "platform_unknown"
	StoreDown       = "store_down"
	DiskFull        = "disk_full"
	ChannelFailing  = "channel"
)

// Settling times: instances are checked at once, the monitor needs its window
// and the time its own rules hold something back.
const (
	soon = 20 * time.Second
	// Measured is how long after a start figures over a minute are known.
	Measured = 3 * time.Minute
)

// BuiltIn returns the rules that hold with nothing configured.
func BuiltIn() []Rule {
	return []Rule{
		{
			Name: NoInstance, Severity: channel.Critical, For: 5 * time.Second, Keep: 10 * time.Second, Settle: soon,
			Cause: "none was started, or all were stopped",
		},
		{
			Name: BreakerOpen, Severity: channel.Critical, Keep: 10 * time.Second, Settle: soon,
			Cause: "its instances answer with errors or not at all, or what they need does",
		},
		{
			Name: BreakerHalfOpen, Severity: channel.Warning, For: time.Minute, Keep: 10 * time.Second, Settle: soon,
			Cause: "the probes neither succeed nor fail: too few requests, or they hang",
		},
		{
			Name: Errors, Severity: channel.Critical, Settle: Measured,
			Cause: "a bad version, or something the function depends on fails",
		},
		{
			Name: InstanceFailed, Severity: channel.Warning, For: 10 * time.Second, Keep: 30 * time.Second, Settle: soon,
			Cause: "it does not answer its check, or is gone",
		},
		{
			Name: PanicMode, Severity: channel.Warning, For: 10 * time.Second, Keep: 30 * time.Second, Settle: soon,
			Cause: "most instances fail their checks at once: often the check or the network rather than the instances",
		},
		{Name: Failover, Severity: channel.Warning, Cause: "too few of the instances it moved away from were healthy, or somebody ordered it"},
		{Name: ScalingAction, Severity: channel.Info, Cause: "a threshold of scaling was crossed, or somebody ordered it"},
		{Name: ScalingFailed, Severity: channel.Warning, Keep: 10 * time.Second, Settle: soon, Cause: "the platform has no room, or does not let Holdfast"},
		{
			Name: ScalingLimit, Severity: channel.Warning, For: 5 * time.Minute, Keep: 5 * time.Minute, Settle: Measured,
			Cause: "there is more load than the bounds or the budget were made for",
		},
		{
			Name: Incident, Severity: channel.Warning, Keep: time.Minute, Settle: Measured,
			Cause: "something the function depends on is slow or fails: more instances would not help it",
		},
		{
			Name: Latency, Severity: channel.Warning, Settle: 20 * time.Minute,
			Cause: "a slower version, a slower dependency, or more load than there are instances for",
		},
		{Name: Memory, Severity: channel.Warning, Settle: Measured, Cause: "a leak, or a limit that is too low for the load"},
		{Name: LoopLag, Severity: channel.Warning, Settle: Measured, Cause: "something computes or blocks where it should wait"},
		{
			Name: PlatformUnknown, Severity: channel.Warning, For: 30 * time.Second, Keep: 10 * time.Second, Settle: time.Minute,
			Cause: "its API does not answer, or does not let Holdfast in",
		},
		{
			Name: StoreDown, Severity: channel.Warning, For: 10 * time.Second, Keep: 10 * time.Second, Settle: soon,
			Cause: "the database is gone, or does not let Holdfast in",
		},
		{Name: DiskFull, Severity: channel.Critical, Keep: 10 * time.Second, Settle: soon},
		{Name: CertificateEnds, Severity: channel.Warning, Keep: time.Minute, Settle: soon, Below: 14},
		{Name: ChannelFailing, Severity: channel.Warning, For: 5 * time.Minute, Settle: time.Minute},
	}
}

// isSymptom says of a rule somebody wrote, or of one built in, that a function
// without instances or with an open breaker explains it.
func (r *Rule) isSymptom() bool {
	return r.Formula != nil || r.Objective != nil
}

// concerns reports whether the rule looks at a function.
func (r *Rule) concerns(function string) bool {
	return len(r.Functions) == 0 || slices.Contains(r.Functions, function)
}

// rank is 0 for the worst.
func rank(s channel.Severity) int {
	switch s {
	case channel.Critical:
		return 0
	case channel.Warning:
		return 1
	case channel.Info:
	}
	return 2
}
