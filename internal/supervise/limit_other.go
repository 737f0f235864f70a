//go:build unix && !linux

package supervise

import (
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"
)

// system has priorities and nothing else: memory is left to GOMEMLIMIT.
type system struct{ limits Limits }

func newSystem(_ string, l Limits) system { return system{l} }

func (system) keeps() (memory, cpu, note string) {
	return ByRuntime, ByPriority, "this system has no cgroups"
}

func (system) prepare(*exec.Cmd) (done func()) { return func() {} }

func (s system) apply(pid int) {
	nice := s.limits.Nice
	if s.limits.Background || s.limits.CPUPercent > 0 && nice == 0 {
		nice = lowest
	}
	if nice > 0 {
		_ = unix.Setpriority(unix.PRIO_PGRP, pid, nice) // it ran well before that, too
	}
}

func (system) killedForMemory() bool { return false }

func (system) remove() {}

func memoryOf(int) (int64, error) { return 0, errors.ErrUnsupported }
