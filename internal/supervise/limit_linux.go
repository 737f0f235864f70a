package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// system keeps limits by cgroups where it can.
type system struct {
	name   string
	limits Limits
	found  cgroups
	made   *[]string // directories made for the present life
	failed *string   // why a group could not be used after all
}

func newSystem(name string, l Limits) system {
	s := system{name: name, limits: l, made: new([]string), failed: new(string)}
	if l.MemoryBytes > 0 || l.CPUPercent > 0 {
		s.found = findCgroups("/")
	}
	return s
}

func (s system) keeps() (memory, cpu, note string) {
	memory, cpu, note = ByWatching, ByPriority, s.found.note
	if *s.failed != "" {
		return memory, cpu, *s.failed
	}
	by := map[int]string{1: ByCgroup1, 2: ByCgroup2}[s.found.version]
	if s.found.memory != "" {
		memory = by
	}
	if s.found.cpu != "" {
		cpu = by
	}
	return memory, cpu, note
}

// prepare makes the child's groups. With version 2 the child is born in its
// group; with version 1 it is put there by apply. A group that cannot be made is
// no reason not to start: its limit is kept the other way.
func (s system) prepare(cmd *exec.Cmd) (done func()) {
	*s.failed = ""
	done = func() {}
	if err := s.make(); err != nil {
		s.remove()
		*s.failed = err.Error()
		return done
	}
	if s.found.version == 2 && len(*s.made) > 0 {
		dir, err := os.Open((*s.made)[0])
		if err != nil {
			s.remove()
			*s.failed = err.Error()
			return done
		}
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		done = func() { _ = dir.Close() }
	}
	return done
}

func (s system) make() error {
	var parents []string
	if s.limits.MemoryBytes > 0 {
		parents = append(parents, s.found.memory)
	}
	if s.limits.CPUPercent > 0 {
		parents = append(parents, s.found.cpu)
	}
	slices.Sort(parents)
	for _, parent := range slices.Compact(parents) {
		if parent == "" {
			continue
		}
		sweep(parent)
		dir, err := os.MkdirTemp(parent, fmt.Sprintf("holdfast-%d-%s-*", os.Getpid(), s.name))
		if err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
		*s.made = append(*s.made, dir)
		for _, set := range s.found.settings(parent, s.limits) {
			err := os.WriteFile(filepath.Join(dir, set.file), []byte(set.value), 0)
			if err != nil && !set.optional {
				return fmt.Errorf("set cgroup: %w", err)
			}
		}
	}
	return nil
}

// sweep removes the groups of a Holdfast that was killed and could not.
func sweep(parent string) {
	dirs, err := filepath.Glob(filepath.Join(parent, "holdfast-*"))
	if err != nil {
		return // the pattern's fault
	}
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "holdfast-"), "-")
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(dir) // fails while somebody is in it
		}
	}
}

// apply does what has to be done from outside: groups of version 1, and the
// priority. The child has a group of processes of its own; the kernel changes
// all of its threads.
func (s system) apply(pid int) {
	if s.found.version == 1 && *s.failed == "" {
		for _, dir := range *s.made {
			if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
				*s.failed = fmt.Sprintf("enter cgroup: %v", err)
			}
		}
	}
	nice := s.limits.Nice
	if _, cpu, _ := s.keeps(); s.limits.Background || s.limits.CPUPercent > 0 && cpu == ByPriority && nice == 0 {
		nice = lowest
	}
	if nice > 0 {
		_ = unix.Setpriority(unix.PRIO_PGRP, pid, nice) // a child that is gone already needs none
	}
}

// killedForMemory asks the kernel's count of this life's group.
func (s system) killedForMemory() bool {
	if s.limits.MemoryBytes == 0 {
		return false
	}
	for _, dir := range *s.made {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			b, err := os.ReadFile(filepath.Join(dir, file))
			if err == nil && countOf(b, "oom_kill") > 0 {
				return true
			}
		}
	}
	return false
}

// countOf reads a line "name count" of a kernel's file.
func countOf(b []byte, name string) int {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			n, err := strconv.Atoi(strings.TrimSpace(string(rest)))
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// remove ends what is left in the groups and removes them. The kernel needs a
// moment to see that the last process is gone.
func (s system) remove() {
	for _, dir := range *s.made {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) // version 2; usually nobody is left
		for range 100 {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, os.ErrNotExist) {
				break
			}
			timer := time.NewTimer(10 * time.Millisecond)
			<-timer.C
		}
	}
	*s.made = nil
}

// memoryOf is what a process holds in memory.
func memoryOf(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("read memory of process %d: %q", pid, b)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
