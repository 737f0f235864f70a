package monitor

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is USER_HZ, which Linux fixes at 100 for what it shows.
const clockTick = 10 * time.Millisecond

// processes lists all processes. Those that end meanwhile are left out.
func processes() []processUse {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []processUse
	page := uint64(os.Getpagesize())
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", d.Name(), "stat"))
		if err != nil {
			continue
		}
		if p, ok := parseStat(text, page); ok {
			p.pid = pid
			list = append(list, p)
		}
	}
	return list
}

// parseStat reads /proc/PID/stat (proc(5)); the name in it may hold anything.
func parseStat(text []byte, page uint64) (processUse, bool) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return processUse{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 22 {
		return processUse{}, false
	}
	number := func(field int) uint64 { // as proc(5) counts them
		n, err := strconv.ParseUint(fields[field-3], 10, 64)
		if err != nil {
			return 0 // negative: there is none
		}
		return n
	}
	return processUse{
		group: int(number(5)), spent: time.Duration(number(14)+number(15)) * clockTick, rss: number(24) * page, //nolint:gosec // a process id
	}, true
}

func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ownMemory() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return n * uint64(os.Getpagesize())
}

func openFiles() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names) - 1 // without the one that reads
}

// memoryLimit is what this process may use: the limit of its control group, as
// containers and systemd set it, else all of the machine.
func memoryLimit() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	limit := info.Totalram * uint64(info.Unit)
	for _, name := range limitFiles() {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil { // "max" is none
			limit = min(limit, n)
		}
	}
	return limit
}

// limitFiles are where a memory limit may stand, of both versions of control
// groups: this process's own group, and the root as a container sees it.
func limitFiles() []string {
	files := []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return files
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) < 3:
		case parts[0] == "0":
			files = append(files, filepath.Join("/sys/fs/cgroup", parts[2], "memory.max"))
		case parts[1] == "memory":
			files = append(files, filepath.Join("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	return files
}
