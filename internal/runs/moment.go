package runs

import (
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/selfcheck"
)

// What a Moment tells.
const (
	Figures  = "figures"  // of a second
	FaultOn  = "fault"    // it begins
	FaultOff = "reverted" // it ends
	Note     = "note"     // a sentence
	Changed  = "state"    // of the run
)

// Moment is something that happened in a run, at a time of this machine's
// clock, which is also that of the gateway's own figures.
type Moment struct {
	Seq    uint64    `json:"seq" doc:"counts from 1"`
	At     time.Time `json:"at"`
	Kind   string    `json:"kind" enum:"figures,fault,reverted,note,state"`
	Second *Second   `json:"figures,omitempty"`
	Text   string    `json:"text,omitempty" doc:"the fault, sentence or state"`
}

// Second is what clients felt in a second. Times are in milliseconds; rates
// per second.
type Second struct {
	Phase     string  `json:"phase,omitempty"`
	Seconds   float64 `json:"seconds" doc:"its length"`
	At        float64 `json:"at_seconds" doc:"its end, since the load began"`
	Offered   float64 `json:"offered_rate"`
	OK        float64 `json:"ok_rate"`
	Failed    float64 `json:"failed_rate"`
	NotSent   float64 `json:"not_sent_rate" doc:"among the failed"`
	Timeouts  float64 `json:"timeout_rate"`
	Limited   float64 `json:"limited_rate"`
	InFlight  int64   `json:"in_flight"`
	Users     int     `json:"users"`
	P50       float64 `json:"p50_ms"`
	P90       float64 `json:"p90_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p999_ms"`
	Max       float64 `json:"max_ms"`
	Generator string  `json:"generator" enum:"OK,SUSPECT" doc:"SUSPECT: this second crossed a limit of the generator's own"`
	// Gateway is missing when no function is loaded.
	Gateway *GatewaySecond `json:"gateway,omitempty"`
}

// GatewaySecond is what the gateway counted of a function in the same second,
// whoever asked.
type GatewaySecond struct {
	Exchanges float64 `json:"exchange_rate"`
	Failed    float64 `json:"failed_rate" doc:"answered with 5xx"`
	Attempts  float64 `json:"attempt_rate"`
	InFlight  int     `json:"in_flight"`
	Available int     `json:"available" doc:"instances that take traffic"`
	Breaker   string  `json:"breaker,omitempty"`
}

// SecondOf makes figures of a point.
func SecondOf(p *loadtest.Point) *Second {
	length := p.Length.Seconds()
	rate := func(n float64) float64 {
		if length <= 0 {
			return 0
		}
		return n / length
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	v := &Second{
		Phase: p.Phase, Seconds: length, At: p.At.Seconds(), Offered: rate(p.Offered), OK: rate(float64(p.OK)), Failed: rate(float64(p.Failed)),
		NotSent: rate(float64(p.NotSent)), Timeouts: rate(float64(p.Timeouts)), Limited: rate(float64(p.Limited)),
		InFlight: p.InFlight, Users: p.Users, P50: ms(p.P50), P90: ms(p.P90), P99: ms(p.P99), P999: ms(p.P999), Max: ms(p.Max),
		Generator: selfcheck.OK.String(),
	}
	var judge selfcheck.Judge
	if self := p.Self; judge.Add(&self) {
		v.Generator = selfcheck.Suspect.String()
	}
	return v
}

// Counts are what the gateway has counted of a function so far, and how it is
// now.
type Counts struct {
	Exchanges, Failed, Attempts uint64
	InFlight, Available         int
	Breaker                     string
}

// since is what happened between two counts.
func (c Counts) since(before Counts, seconds float64) *GatewaySecond {
	if seconds <= 0 {
		seconds = 1
	}
	per := func(now, then uint64) float64 {
		if now < then { // the function was made anew
			return 0
		}
		return float64(now-then) / seconds
	}
	return &GatewaySecond{
		Exchanges: per(c.Exchanges, before.Exchanges), Failed: per(c.Failed, before.Failed), Attempts: per(c.Attempts, before.Attempts),
		InFlight: c.InFlight, Available: c.Available, Breaker: c.Breaker,
	}
}
