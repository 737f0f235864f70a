package sysfault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	point, root string
	version     int
}

// hierarchyOf finds where a controller is: in version 1, else in the one tree of version 2. root is "/", or a copy in tests.
func hierarchyOf(root, controller string) (hierarchy, error) {
	b, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return hierarchy{}, fmt.Errorf("find control groups: %w", err)
	}
	var two *hierarchy
	for line := range strings.Lines(string(b)) {
		front, back, _ := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(front), strings.Fields(back)
		if len(left) < 6 || len(right) < 3 {
			continue
		}
		h := hierarchy{point: filepath.Join(root, left[4]), root: left[3]}
		switch right[0] {
		case "cgroup":
			if slices.Contains(strings.Split(right[2], ","), controller) {
				h.version = 1
				return h, nil
			}
		case "cgroup2":
			h.version = 2
			if slices.Contains(words(h.point, "cgroup.controllers"), controller) {
				two = &h
			}
		}
	}
	if two == nil {
		return hierarchy{}, fmt.Errorf("no mounted control groups have the controller %s", controller)
	}
	return *two, nil
}

func words(dir, file string) []string {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil // a file that is not there lists nothing
	}
	return strings.Fields(string(b))
}

// home is the group in which a process is.
func (h hierarchy) home(root string, pid int, controller string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, "proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return "", fmt.Errorf("find control group of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || h.version == 1 && !slices.Contains(strings.Split(parts[1], ","), controller) || h.version == 2 && parts[0] != "0" {
			continue
		}
		path := parts[2]
		if rest, ok := strings.CutPrefix(path, h.root); ok && h.root != "/" {
			path = rest // a container may see only a part of the tree
		}
		return filepath.Join(h.point, path), nil
	}
	return "", fmt.Errorf("find control group of process %d: it is in none for %s", pid, controller)
}

// placeFor is where a group for processes of home can be made. In version 1 that is below it, where home's own limits go
// on to hold; in version 2 a group that holds processes cannot have others below it, so it is beside.
func (h hierarchy) placeFor(home, controller string) (string, error) {
	place := home
	if h.version == 2 {
		if home != h.point {
			place = filepath.Dir(home)
		}
		if !slices.Contains(words(place, "cgroup.subtree_control"), controller) {
			return "", fmt.Errorf("the controller %s is not enabled below %s", controller, place)
		}
	}
	const writable = 2
	if err := syscall.Access(place, writable); err != nil {
		return "", fmt.Errorf("groups cannot be made in %s: %w", place, err)
	}
	return place, nil
}

// planGroups says which groups will be made for whom.
func planGroups(f Fault, t Target, root, controller, id string) (undo, error) {
	list, err := t.members()
	if err != nil {
		return undo{}, fmt.Errorf("inject %s: %w", f, err)
	}
	h, err := hierarchyOf(root, controller)
	if err != nil {
		return undo{}, unsupported(f, err.Error())
	}
	u := undo{Kind: undoCgroup}
	for _, s := range list {
		home, err := h.home(root, s.PID, controller)
		if err != nil {
			continue // it has ended
		}
		if slices.ContainsFunc(u.Groups, func(m moved) bool { return m.Home == home }) {
			continue
		}
		place, err := h.placeFor(home, controller)
		if err != nil {
			return undo{}, unsupported(f, err.Error())
		}
		u.Groups = append(u.Groups, moved{Dir: filepath.Join(place, id+"-"+strconv.Itoa(len(u.Groups))), Home: home})
	}
	if len(u.Groups) == 0 {
		return undo{}, fmt.Errorf("inject %s: there is no %s", f, t)
	}
	return u, nil
}

// setting is a value for a control file; one that not every kernel has is optional.
type setting struct {
	file, value string
	optional    bool
}

// moveAll makes the groups and moves the processes, also those that are started meanwhile.
func moveAll(f Fault, t Target, u undo, controller string, one, two []setting) error {
	h, err := hierarchyOf("/", controller)
	if err != nil {
		return unsupported(f, err.Error())
	}
	settings := one
	if h.version == 2 {
		settings = two
	}
	for _, m := range u.Groups {
		if err := makeGroup(m.Dir, settings); err != nil {
			return fmt.Errorf("inject %s: %w", f, err)
		}
	}
	for range 5 {
		list, err := t.members()
		if err != nil {
			return fmt.Errorf("inject %s: %w", f, err)
		}
		late := false
		for _, s := range list {
			home, err := h.home("/", s.PID, controller)
			i := slices.IndexFunc(u.Groups, func(m moved) bool { return m.Home == home })
			if err != nil || i < 0 {
				continue // gone, or moved already
			}
			late = true
			if err := enter(u.Groups[i].Dir, s.PID); err != nil {
				return fmt.Errorf("inject %s: %w", f, err)
			}
		}
		if !late {
			return nil
		}
	}
	return nil
}

func makeGroup(dir string, settings []setting) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make control group: %w", err)
	}
	for _, s := range settings {
		if err := os.WriteFile(filepath.Join(dir, s.file), []byte(s.value), 0); err != nil && !s.optional {
			return fmt.Errorf("set up control group: %w", err)
		}
	}
	return nil
}

func enter(dir string, pid int) error {
	err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	if errors.Is(err, syscall.ESRCH) {
		return nil // it has ended
	}
	return err
}

const groupWait = 2 * time.Second

// release lets the processes of a group go home and removes it. Its limits go first, so that nobody is too starved to
// be moved.
func (m moved) release() error {
	if _, err := os.Stat(m.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, s := range []setting{
		{"cpu.cfs_quota_us", "-1", true},
		{"memory.memsw.limit_in_bytes", "-1", true},
		{"memory.limit_in_bytes", "-1", true},
		{"cpu.max", "max", true},
		{"memory.max", "max", true},
	} {
		file := filepath.Join(m.Dir, s.file)
		if _, err := os.Stat(file); err == nil {
			_ = os.WriteFile(file, []byte(s.value), 0) // removing the group does it as well
		}
	}
	home := m.Home
	if _, err := os.Stat(home); err != nil {
		home = filepath.Dir(m.Dir)
	}
	var err error
	removed := waitFor(nil, groupWait, func() bool {
		for _, pid := range words(m.Dir, "cgroup.procs") {
			if n, bad := strconv.Atoi(pid); bad == nil {
				_ = enter(home, n) // who cannot be moved keeps the group from being removed
			}
		}
		err = os.Remove(m.Dir)
		return err == nil || errors.Is(err, os.ErrNotExist)
	})
	if !removed {
		return fmt.Errorf("remove control group: %w", err)
	}
	return nil
}

func (f CPU) plan(id string) (undo, error) { return planGroups(f, f.Target, "/", "cpu", id) }

func (f CPU) inject(_ context.Context, u undo) error {
	const period = 100_000 // microseconds, the kernel's own choice
	quota := strconv.Itoa(f.Percent * period / 100)
	return moveAll(f, f.Target, u, "cpu",
		[]setting{{"cpu.cfs_period_us", strconv.Itoa(period), false}, {"cpu.cfs_quota_us", quota, false}},
		[]setting{{"cpu.max", quota + " " + strconv.Itoa(period), false}})
}

func (f Memory) plan(id string) (undo, error) { return planGroups(f, f.Target, "/", "memory", id) }

func (f Memory) inject(_ context.Context, u undo) error {
	limit := strconv.FormatInt(f.Bytes, 10)
	return moveAll(f, f.Target, u, "memory",
		[]setting{{"memory.limit_in_bytes", limit, false}, {"memory.memsw.limit_in_bytes", limit, true}},
		[]setting{{"memory.max", limit, false}, {"memory.swap.max", "0", true}})
}
