//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/bench/gateway/peer"
	"holdfast/bench/gateway/report"
)

// observation is what processors have done at one moment.
type observation struct {
	at         time.Time
	busy, ours time.Duration
}

// observe reads what the machine's processors did so far, and how much of that
// was this program, its clients, the backends and the proxy under test.
func observe(c *contest, e *entry) (observation, error) {
	o := observation{at: time.Now()}
	var err error
	if o.busy, err = peer.BusyTime(); err != nil {
		return o, err
	}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var usage unix.Rusage
		if err := unix.Getrusage(who, &usage); err != nil {
			return o, fmt.Errorf("ask for our own usage: %w", err)
		}
		o.ours += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	processes := c.backends
	if e.process != nil && e.proxy != report.Direct {
		processes = append([]*peer.Process{e.process}, processes...)
	}
	for _, p := range processes {
		d, err := p.CPU()
		if err != nil {
			return o, err
		}
		o.ours += d
	}
	return o, nil
}

// others is the part of all processors' time between two observations that
// somebody else had.
func others(before, after observation) float64 {
	busy, ours := after.busy-before.busy, after.ours-before.ours
	whole := after.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	return max(0, float64(busy-ours)/float64(whole))
}

func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}

// machine describes where the run takes place.
func machine() string {
	var name unix.Utsname
	release := "Linux"
	if unix.Uname(&name) == nil {
		release += " " + unix.ByteSliceToString(name.Release[:])
	}
	return fmt.Sprintf("%s, %d processors, %s", processor(), runtime.NumCPU(), release)
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close() //nolint:errcheck // only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// find finds or builds the programs of the plan, and their versions.
func (r *runner) find(ctx context.Context) error {
	r.run.Programs = map[string]string{}
	need := map[string]bool{peer.Nginx: true} // the backend
	for _, name := range r.plan.proxies {
		name, _, _ = strings.Cut(name, "+")
		name, _, _ = strings.Cut(name, "/")
		need[name] = true
	}
	for name := range maps.Keys(need) {
		path, version, err := r.program(ctx, name)
		if err != nil {
			return err
		}
		r.run.Programs[name] = version
		switch name {
		case peer.HAProxy:
			r.programs.HAProxy = path
		case peer.Nginx:
			r.programs.Nginx = path
		case peer.Caddy:
			r.programs.Caddy = path
		default:
			r.programs.Holdfast = path
		}
	}
	return nil
}

func (r *runner) program(ctx context.Context, name string) (path, version string, err error) {
	switch name {
	case peer.Caddy:
		r.say("building Caddy, unless it is in the cache: five minutes on two cores, once")
		return peer.BuildCaddy(ctx)
	case peer.Holdfast:
		r.say("building Holdfast")
		return peer.BuildHoldfast(ctx, r.dir)
	}
	if path, err = peer.Find(name); err != nil {
		return "", "", err
	}
	version, err = peer.Version(ctx, path)
	return path, version, err
}
