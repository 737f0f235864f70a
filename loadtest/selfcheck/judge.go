// Package selfcheck doubts the generator of a load: it says whether what was measured is the target's doing or this
// machine's.
//
// A Meter reads, once a second, what the process and its machine are short of: CPU (against what the scheduler and the
// control group allow), the lag of its timer, time in the run queue, garbage collection, CPU stolen by other virtual
// machines, files, ports. A Judge compares each second with limits:
//
//	OK       no second crossed a limit
//	SUSPECT  at most one second in twenty did, or what did is small beside what was measured
//	INVALID  more did, or requests failed for want of ports or files
//
// The limits are 80 % of the CPU and a timer lag p99 of 1 ms, or of a tenth of the target's median service time where that
// is more; the others stand beside the constants. A lag is part of the response times, so it spoils them by as much as it is
// long: one over the limit is small, and makes a run SUSPECT for as long as it lasts, when it is under a tenth of the p99 of
// the service time too. A millisecond says nothing against a p99 of a hundred.
package selfcheck

import (
	"fmt"
	"time"
)

// Sample is what a second was like. A value that the system does not tell is 0.
type Sample struct {
	Length time.Duration
	// CPU is what the process used of what it may use, from 0 to 1; Steal what other machines took of this one's.
	CPU, Steal float64
	// GC is the share of the process's CPU that went into garbage collection, Pause the longest stop for it.
	GC    float64
	Pause time.Duration
	// Queue is the p99 of how long goroutines that could run had to wait.
	Queue time.Duration
	// TimerLag is the p99 of how late requests left, ServiceP50 and ServiceP99 are of the service time. Meters do not know
	// them; whoever gives them takes care that there are enough requests for a p99, since the worst of a few is none.
	TimerLag, ServiceP50, ServiceP99 time.Duration
	Files, FilesLimit                int
	// Ports counts the machine's TCP sockets, those in TIME_WAIT included; PortsLimit is how many ports connections to one
	// address can have.
	Ports, PortsLimit int
}

// The limits of a second.
const (
	maxCPU   = 0.8
	maxSteal = 0.1
	maxGC    = 0.25
	maxShare = 0.9 // of files and ports
	leastLag = time.Millisecond
	lagShare = 0.1 // of the service time
)

// Verdict is how far the figures are to be trusted.
type Verdict uint8

// The verdicts.
const (
	OK Verdict = iota
	Suspect
	Invalid
)

var verdictNames = [...]string{OK: "OK", Suspect: "SUSPECT", Invalid: "INVALID"}

// String is the verdict's name.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", v)
}

// suspectShare is the part of the seconds that may cross a limit without making all of it worthless.
const suspectShare = 0.05

// limit is one that was crossed.
type limit uint8

const (
	limitCPU limit = iota
	limitLag
	limitSteal
	limitGC
	limitFiles
	limitPorts
	numLimits
)

// Judge looks at one second after the other. The zero value is ready.
type Judge struct {
	windows, crossed int
	grave            int // of crossed: what was measured is spoiled
	by               [numLimits]int
	peak             Sample
	cpu              float64 // sum
}

// Add takes in a second and says whether it crossed a limit.
func (j *Judge) Add(s *Sample) bool {
	j.windows++
	j.cpu += s.CPU
	j.peak.Join(s)
	crossed, grave := false, false
	for l, over := range [numLimits]bool{
		limitCPU: s.CPU >= maxCPU, limitLag: s.TimerLag >= max(leastLag, part10(s.ServiceP50)),
		limitSteal: s.Steal >= maxSteal, limitGC: s.GC >= maxGC,
		limitFiles: scarce(s.Files, s.FilesLimit), limitPorts: scarce(s.Ports, s.PortsLimit),
	} {
		if over {
			crossed = true
			grave = grave || limit(l) != limitLag || s.TimerLag >= part10(s.ServiceP99)
			j.by[l]++
		}
	}
	if crossed {
		j.crossed++
	}
	if grave {
		j.grave++
	}
	return crossed
}

// part10 is the part of a service time that a lag may have.
func part10(d time.Duration) time.Duration { return time.Duration(lagShare * float64(d)) }

func scarce(used, of int) bool { return of > 0 && float64(used) >= maxShare*float64(of) }

// Join makes of s what it and o come to at worst.
func (s *Sample) Join(o *Sample) {
	s.Length += o.Length
	s.CPU, s.Steal, s.GC = max(s.CPU, o.CPU), max(s.Steal, o.Steal), max(s.GC, o.GC)
	s.Pause, s.Queue = max(s.Pause, o.Pause), max(s.Queue, o.Queue)
	s.TimerLag = max(s.TimerLag, o.TimerLag)
	s.ServiceP50, s.ServiceP99 = max(s.ServiceP50, o.ServiceP50), max(s.ServiceP99, o.ServiceP99)
	s.Files, s.FilesLimit = max(s.Files, o.Files), max(s.FilesLimit, o.FilesLimit)
	s.Ports, s.PortsLimit = max(s.Ports, o.Ports), max(s.PortsLimit, o.PortsLimit)
}

// Report is what a Judge came to.
type Report struct {
	Verdict Verdict
	// Reasons says in sentences what was crossed, for how long, and what helps.
	Reasons          []string
	Windows, Crossed int
	CPU              float64 // on average
	Peak             Sample  // each figure at its worst
}

// Report judges. starved is how many requests failed because this machine had no port or file for them.
func (j *Judge) Report(starved int64) Report {
	r := Report{Windows: j.windows, Crossed: j.crossed, Peak: j.peak, CPU: j.cpu / float64(max(j.windows, 1))}
	if starved > 0 {
		r.Verdict = Invalid
		r.Reasons = append(r.Reasons, fmt.Sprintf("%d requests were not sent because this machine had no port or file left: "+
			"keep connections alive, raise ulimit -n, or widen net.ipv4.ip_local_port_range", starved))
	}
	switch { // nothing grave and much that is small is a doubt still
	case j.crossed == 0:
	case float64(j.grave) <= suspectShare*float64(j.windows):
		r.Verdict = max(r.Verdict, Suspect)
	default:
		r.Verdict = Invalid
	}
	for l, n := range j.by {
		if n > 0 {
			r.Reasons = append(r.Reasons, fmt.Sprintf("in %d of %d seconds ", n, j.windows)+j.sentence(limit(l)))
		}
	}
	return r
}

func (j *Judge) sentence(l limit) string {
	p := &j.peak
	switch l {
	case limitCPU:
		return fmt.Sprintf("the generator used %.0f %% of its CPU or more (up to %.0f %%): it, not the target, may have been the limit", 100*maxCPU, 100*p.CPU)
	case limitLag:
		return fmt.Sprintf("requests left late by the generator's fault (p99 up to %v): the machine is busy with something else", p.TimerLag.Round(10*time.Microsecond))
	case limitSteal:
		return fmt.Sprintf("other virtual machines took up to %.0f %% of this one's CPU", 100*p.Steal)
	case limitGC:
		return fmt.Sprintf("garbage collection took up to %.0f %% of the generator's CPU: give it more memory (GOGC, GOMEMLIMIT)", 100*p.GC)
	case limitFiles:
		return fmt.Sprintf("%d of %d files were open: raise ulimit -n", p.Files, p.FilesLimit)
	case limitPorts:
		return fmt.Sprintf("%d of %d ports were taken: keep connections alive, or widen net.ipv4.ip_local_port_range", p.Ports, p.PortsLimit)
	case numLimits:
	}
	return ""
}
