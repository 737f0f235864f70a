package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryLimit is what this process may use: its limit, or the machine's memory.
// 0 is unknown.
func memoryLimit() uint64 {
	limit, machine := cgroupMemoryLimit(), machineMemory()
	if limit == 0 || machine > 0 && machine < limit {
		return machine
	}
	return limit
}

func machineMemory() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib uint64
		if n, err := fmt.Sscanf(line, "MemTotal: %d kB", &kib); err == nil && n == 1 {
			return kib << 10
		}
	}
	return 0
}

// residentBytes is the memory this process really has; 0 is unknown.
func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident uint64
	if n, err := fmt.Sscan(string(text), &size, &resident); err != nil || n != 2 {
		return 0
	}
	return resident * uint64(os.Getpagesize())
}

// cgroupMemoryLimit is the smallest memory limit of the process' control
// groups, version 2 or 1; 0 where there is none or it cannot be read.
func cgroupMemoryLimit() uint64 {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	var limit uint64
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		if fields[1] == "memory" {
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if fields[1] != "" {
			continue
		}
		// A limit further up binds too. Inside a container the path may be the
		// host's: then only the root is there.
		for dir := fields[2]; ; dir = filepath.Dir(dir) {
			if n := readLimit(filepath.Join(root, dir, file)); n > 0 && (limit == 0 || n < limit) {
				limit = n
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return limit
}

// readLimit gives 0 for "max" and whatever else is no number.
func readLimit(path string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
