//go:build linux

package peer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is USER_HZ, which Linux has fixed at 100 for all that
// programs see.
const ticksPerSecond = 100

// errProc says that a file below /proc is not as proc(5) describes it.
var errProc = errors.New("not as proc(5) describes it")

// CPU returns the user and system time of the program and its children so far.
func (p *Process) CPU() (time.Duration, error) {
	var sum time.Duration
	err := eachOf(p.cmd.Process.Pid, func(pid int) error {
		d, err := cpuOf(pid)
		sum += d
		return err
	})
	return sum, err
}

// Memory returns the memory of the program and its children in bytes: their
// proportional set size, in which shared pages count once.
func (p *Process) Memory() (int64, error) {
	var sum int64
	err := eachOf(p.cmd.Process.Pid, func(pid int) error {
		n, err := memoryOf(pid)
		sum += n
		return err
	})
	return sum, err
}

// eachOf visits a process and all below it.
func eachOf(pid int, visit func(pid int) error) error {
	if err := visit(pid); err != nil {
		return err
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return err
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		for child := range strings.FieldsSeq(string(children)) {
			id, err := strconv.Atoi(child)
			if err != nil {
				return fmt.Errorf("%s: %w", list, errProc)
			}
			if err := eachOf(id, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

func cpuOf(pid int) (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	stat, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	d, err := cpuOfStat(string(stat))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// cpuOfStat adds utime and stime, fields 14 and 15 of a stat line. The name in
// field 2 may hold anything, so they are counted from its closing bracket.
func cpuOfStat(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errProc
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, errProc
	}
	return time.Duration(user+system) * (time.Second / ticksPerSecond), nil
}

func memoryOf(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	rollup, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(rollup)) {
		rest, found := strings.CutPrefix(line, "Pss:")
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil {
			break
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("%s: %w", path, errProc)
}

// BusyTime returns how long the machine's processors have worked since it
// started, for anybody, with what the host took from them.
func BusyTime() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return busyOfStat(string(stat))
}

// busyOfStat adds user, nice, system, irq, softirq and steal of the first line:
// all fields but idle and iowait; those of guests are in user and nice.
func busyOfStat(stat string) (time.Duration, error) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat: %w", errProc)
	}
	var ticks int64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat: %w", errProc)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / ticksPerSecond), nil
}
