package demo

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	lagTick  = 50 * time.Millisecond
	sampleAt = time.Second // between CPU samples
	window   = 3           // samples kept: figures are about the last 3 seconds
)

// readings are the figures of a health answer.
type readings struct {
	// cpuPercent is this process' share of the CPUs it may use, 100 is all.
	cpuPercent float64
	// memoryPercent is its resident memory as a share of its memory limit
	// (cgroup), or of the machine's memory where there is no limit.
	memoryPercent float64
	// lagMS is the longest that a timer of this process was late.
	lagMS float64
}

// meter measures its own process. run keeps it going.
type meter struct {
	limit float64 // bytes; 0 when unknown

	mu   sync.Mutex // guards what follows
	cpu  []cpuSample
	lags []time.Duration // the worst of each interval between samples, the present one last
}

type cpuSample struct {
	at   time.Time
	used time.Duration // CPU time since the process began
}

func newMeter() *meter {
	m := &meter{limit: float64(memoryLimit()), lags: []time.Duration{0}}
	m.sample(time.Now())
	return m
}

// cpuUsed is the CPU time of this process, in its own code and the kernel's.
func cpuUsed() (time.Duration, bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}

// run measures until ctx ends.
func (m *meter) run(ctx context.Context) {
	tick := time.NewTicker(lagTick)
	defer tick.Stop()
	next := time.Now().Add(sampleAt)
	for {
		select {
		case due := <-tick.C:
			now := time.Now()
			m.late(now.Sub(due))
			if now.After(next) {
				m.sample(now)
				next = now.Add(sampleAt)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (m *meter) late(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := len(m.lags) - 1
	m.lags[last] = max(m.lags[last], by)
}

// sample begins a new interval.
func (m *meter) sample(now time.Time) {
	used, ok := cpuUsed()
	if !ok {
		return // the next one will be longer
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cpu = append(m.cpu, cpuSample{at: now, used: used})
	m.lags = append(m.lags, 0)
	m.cpu = m.cpu[max(0, len(m.cpu)-window-1):]
	m.lags = m.lags[max(0, len(m.lags)-window-1):]
}

// read gives the figures as of now.
func (m *meter) read() readings {
	var r readings
	if m.limit > 0 {
		r.memoryPercent = 100 * float64(residentBytes()) / m.limit
	}
	used, ok := cpuUsed()
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if ok && len(m.cpu) > 0 {
		r.cpuPercent = cpuShare(m.cpu[0], cpuSample{at: now, used: used}, runtime.GOMAXPROCS(0))
	}
	for _, lag := range m.lags {
		r.lagMS = max(r.lagMS, float64(lag.Microseconds())/1000)
	}
	return r
}

// cpuShare is the percentage of cpus processors used between two samples; of
// too short a time nothing can be said.
func cpuShare(from, to cpuSample, cpus int) float64 {
	passed := to.at.Sub(from.at)
	if passed < 50*time.Millisecond {
		return 0
	}
	return min(100, 100*float64(to.used-from.used)/float64(passed)/float64(cpus))
}
