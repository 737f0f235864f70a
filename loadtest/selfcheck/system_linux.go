package selfcheck

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is the CPU time of this process so far.
func processCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Capacity is how many seconds of CPU the process may use in a second.
func Capacity() float64 {
	most := float64(min(runtime.GOMAXPROCS(0), runtime.NumCPU()))
	if quota := quota(); quota > 0 {
		return min(most, quota)
	}
	return most
}

// quota is what the control group allows, version 2 or 1, or 0. It is that of the root as the process sees it, which is
// the container's.
func quota() float64 {
	if words := strings.Fields(read("/sys/fs/cgroup/cpu.max")); len(words) == 2 {
		return part64(words[0], words[1])
	}
	return part64(strings.TrimSpace(read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")), strings.TrimSpace(read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")))
}

func part64(a, b string) float64 {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil || x <= 0 || y <= 0 {
		return 0
	}
	return x / y
}

func read(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return "" // what cannot be read is not known
	}
	return string(b)
}

// stolen is the first line of /proc/stat: ticks stolen, and all.
func stolen() (steal, whole float64) {
	line, _, _ := strings.Cut(read("/proc/stat"), "\n")
	words := strings.Fields(line)
	for i, w := range words {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil || i > 8 { // guest time is in user time already
			continue
		}
		whole += v
		if i == 8 {
			steal = v
		}
	}
	return steal, whole
}

// files is how many this process has open and may have.
func files() (open, limit int) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) == nil {
		limit = int(min(l.Cur, math.MaxInt32)) //nolint:gosec // it fits
	}
	if info, err := os.Stat("/proc/self/fd"); err == nil && info.Size() > 0 {
		return int(info.Size()), limit // since Linux 6.2
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, limit
	}
	return len(list), limit
}

// ports is how many TCP sockets there are and how many ports connections to one address can have.
func ports() (used, limit int) {
	var low, high int
	if words := strings.Fields(read("/proc/sys/net/ipv4/ip_local_port_range")); len(words) == 2 {
		low, _ = strconv.Atoi(words[0])
		high, _ = strconv.Atoi(words[1])
		limit = high - low + 1
	}
	for line := range bytes.Lines([]byte(read("/proc/net/sockstat"))) {
		words := strings.Fields(string(line))
		if len(words) == 0 || words[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(words); i += 2 {
			if n, err := strconv.Atoi(words[i+1]); err == nil && (words[i] == "inuse" || words[i] == "tw") {
				used += n
			}
		}
	}
	return used, limit
}
