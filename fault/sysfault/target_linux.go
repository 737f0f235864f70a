package sysfault

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// status is what the kernel says of a process.
type status struct {
	process
	state byte
	group int
}

// look reads /proc/PID/stat; its second field is a name in brackets that may hold anything.
func look(pid int) (status, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return status{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return status{}, fmt.Errorf("look at process %d: unexpected %q", pid, b)
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return status{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return status{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return status{process: process{PID: pid, Start: start}, state: fields[0][0], group: group}, nil
}

// Started says when a process was started, in ticks since the machine was, by which it can be told from a later one with
// the same id; false when there is none, or only what is left of it until somebody asks how it ended.
func Started(pid int) (uint64, bool) {
	s, err := look(pid)
	return s.Start, err == nil && s.state != 'Z'
}

// alive says whether this very process still runs.
func (p process) alive() bool {
	s, err := look(p.PID)
	return err == nil && s.Start == p.Start && s.state != 'Z'
}

// stopped says whether this very process is still frozen.
func (p process) stopped() bool {
	s, err := look(p.PID)
	return err == nil && s.Start == p.Start && s.state == 'T'
}

// members are the processes of a target that run; none is an error.
func (t Target) members() ([]status, error) {
	pids := []string{strconv.Itoa(t.PID)}
	if t.Group {
		all, err := filepath.Glob("/proc/[1-9]*")
		if err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		pids = all
	}
	var list []status
	for _, name := range pids {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		s, err := look(pid)
		if err == nil && s.state != 'Z' && (!t.Group || s.group == t.PID) {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("there is no %s", t)
	}
	return list, nil
}

func processesOf(list []status) []process {
	out := make([]process, len(list))
	for i, s := range list {
		out[i] = s.process
	}
	return out
}
