package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroups is where groups for children can be made.
type cgroups struct {
	version     int
	memory, cpu string // directories to make groups in; "": not possible
	note        string // why not
}

// mount is a mounted hierarchy.
type mount struct {
	point, root string
	version     int
	controllers []string // version 1
}

// mainGroup is where Holdfast itself moves in a subtree of version 2 that is its
// own: a group that has groups below it may hold no processes.
const mainGroup = "holdfast.main"

// findCgroups looks at the machine below root ("/", or a copy in tests).
func findCgroups(root string) cgroups {
	mounts, err := readMounts(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return cgroups{note: err.Error()}
	}
	own, err := readOwn(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return cgroups{note: err.Error()}
	}
	var notes []string
	for _, m := range mounts {
		if m.version != 2 {
			continue
		}
		found, err := version2(filepath.Join(root, m.point), m.below(own[""]))
		if err == nil {
			return found
		}
		notes = append(notes, err.Error())
	}
	found := version1(root, mounts, own)
	if found.memory == "" || found.cpu == "" {
		found.note = strings.Join(append(notes, found.note), "; ")
	}
	return found
}

// below is the path of a group below the mount: a container may see only a part
// of the hierarchy.
func (m mount) below(group string) string {
	if rest, ok := strings.CutPrefix(group, m.root); ok && m.root != "/" {
		return rest
	}
	return group
}

var errNoControllers = errors.New("cgroup v2 has no controllers for memory and cpu here")

// version2 finds or makes a directory for children in the hierarchy at point.
// Holdfast uses only what was given to it: a subtree marked as delegated, or the
// whole hierarchy of a container.
func version2(point, own string) (cgroups, error) {
	dir := filepath.Join(point, own)
	if filepath.Base(dir) == mainGroup { // moved there before, by this process or the one it replaced
		dir = filepath.Dir(dir)
		return childrenIn(dir)
	}
	controllers := readList(dir, "cgroup.controllers")
	if !slices.Contains(controllers, "memory") || !slices.Contains(controllers, "cpu") {
		return cgroups{}, errNoControllers
	}
	if err := unix.Access(filepath.Join(dir, "cgroup.subtree_control"), unix.W_OK); err != nil {
		return cgroups{}, fmt.Errorf("cgroup v2: %s is not writable (%w): run as a service with Delegate=yes", own, err)
	}
	_, typeErr := os.Stat(filepath.Join(dir, "cgroup.type"))
	whole := own == "/" || own == ""
	if whole && typeErr != nil { // the machine's root group: it may have both
		return childrenIn(dir)
	}
	if !whole && !delegated(dir) {
		return cgroups{}, fmt.Errorf("cgroup v2: %s is not Holdfast's own: run as a service with Delegate=yes", own)
	}
	if err := moveAll(dir, filepath.Join(dir, mainGroup)); err != nil {
		return cgroups{}, err
	}
	return childrenIn(dir)
}

// delegated reads the mark that systemd leaves on subtrees it gives away.
func delegated(dir string) bool {
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		b := make([]byte, 8)
		if n, err := unix.Getxattr(dir, name, b); err == nil && string(b[:n]) == "1" {
			return true
		}
	}
	return false
}

// moveAll moves the processes of one group into another.
func moveAll(from, to string) error {
	if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make cgroup: %w", err)
	}
	for _, pid := range readList(from, "cgroup.procs") {
		err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(pid), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) { // that one has ended
			return fmt.Errorf("move process %s into cgroup: %w", pid, err)
		}
	}
	return nil
}

// childrenIn lets groups below dir have limits.
func childrenIn(dir string) (cgroups, error) {
	on := readList(dir, "cgroup.subtree_control")
	for _, c := range []string{"memory", "cpu"} {
		if slices.Contains(on, c) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
			return cgroups{}, fmt.Errorf("cgroup v2: enable %s: %w", c, err)
		}
	}
	return cgroups{version: 2, memory: dir, cpu: dir}, nil
}

// version1 takes the groups Holdfast is in, as far as it may make others below.
func version1(root string, mounts []mount, own map[string]string) cgroups {
	c := cgroups{version: 1}
	var notes []string
	for _, m := range mounts {
		for _, name := range m.controllers {
			if name != "memory" && name != "cpu" {
				continue
			}
			dir := filepath.Join(root, m.point, m.below(own[name]))
			if err := unix.Access(dir, unix.W_OK); err != nil {
				notes = append(notes, fmt.Sprintf("cgroup v1: %s is not writable (%v)", dir, err))
				continue
			}
			if name == "memory" {
				c.memory = dir
			} else {
				c.cpu = dir
			}
		}
	}
	if c.memory == "" && c.cpu == "" && len(notes) == 0 {
		notes = append(notes, "no cgroup hierarchy is mounted")
	}
	c.note = strings.Join(notes, "; ")
	return c
}

type setting struct {
	file, value string
	optional    bool // not every kernel has it
}

// share turns a limit into microseconds of CPU time in each period: a short one,
// so that a child which has used up its share was not long in the way, unless
// the share of it would be less than the kernel takes.
func share(percent int) (quota, period int) {
	const usual, least = 20_000, 1000
	period = max(usual, least*100/max(percent, 1))
	return percent * period / 100, period
}

// settings are what to write into a new group in parent.
func (c cgroups) settings(parent string, l Limits) []setting {
	var list []setting
	memory := strconv.FormatInt(l.MemoryBytes, 10)
	quota, period := share(l.CPUPercent)
	two := c.version == 2
	if l.MemoryBytes > 0 && parent == c.memory {
		if two {
			list = append(list, setting{"memory.max", memory, false}, setting{"memory.swap.max", "0", true}, setting{"memory.oom.group", "1", true})
		} else {
			list = append(list, setting{"memory.limit_in_bytes", memory, false}, setting{"memory.memsw.limit_in_bytes", memory, true})
		}
	}
	if l.CPUPercent > 0 && parent == c.cpu {
		if two {
			list = append(list, setting{"cpu.max", fmt.Sprintf("%d %d", quota, period), false})
		} else {
			list = append(list, setting{"cpu.cfs_period_us", strconv.Itoa(period), false}, setting{"cpu.cfs_quota_us", strconv.Itoa(quota), false})
		}
	}
	if l.Background && parent == c.cpu {
		if two {
			list = append(list, setting{"cpu.weight", "1", true})
		} else {
			list = append(list, setting{"cpu.shares", "2", true})
		}
	}
	return list
}

// readMounts finds the cgroup hierarchies. A line is: id parent dev root point
// options [optional...] - type source superoptions.
func readMounts(path string) ([]mount, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("find cgroups: %w", err)
	}
	var list []mount
	for line := range strings.Lines(string(b)) {
		front, back, ok := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(front), strings.Fields(back)
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		m := mount{point: left[4], root: left[3]}
		switch right[0] {
		case "cgroup2":
			m.version = 2
		case "cgroup":
			m.version, m.controllers = 1, strings.Split(right[2], ",")
		default:
			continue
		}
		list = append(list, m)
	}
	return list, nil
}

// readOwn finds the groups this process is in, by controller; "" is version 2.
func readOwn(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("find own cgroup: %w", err)
	}
	own := map[string]string{}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			own[name] = parts[2]
		}
	}
	return own, nil
}

func readList(dir, file string) []string {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil // a file that is not there lists nothing
	}
	return strings.Fields(string(b))
}
