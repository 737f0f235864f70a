package supervise

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// tree writes files below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

func TestInADelegatedSubtreeHoldfastMovesAsideAndEnablesTheControllers(t *testing.T) {
	t.Parallel()
	dir := "sys/fs/cgroup/system.slice/holdfast.service/"
	root := tree(t, map[string]string{
		"proc/self/mountinfo": unified, "proc/self/cgroup": "0::/system.slice/holdfast.service\n",
		dir + "cgroup.controllers": "cpuset cpu io memory pids\n", dir + "cgroup.subtree_control": "", dir + "cgroup.procs": "41\n",
		dir + "cgroup.type": "domain\n",
	})
	if err := syscall.Setxattr(filepath.Join(root, dir), "user.delegate", []byte("1"), 0); err != nil {
		t.Skipf("no extended attributes here: %v", err)
	}
	found := findCgroups(root)
	want := strings.TrimSuffix(filepath.Join(root, dir), "/")
	if found.version != 2 || found.memory != want || found.cpu != want {
		t.Fatalf("found %+v", found)
	}
	moved, err := os.ReadFile(filepath.Join(root, dir, mainGroup, "cgroup.procs"))
	if err != nil || string(moved) != "41" {
		t.Errorf("moved: %q, %v", moved, err)
	}
	if on, err := os.ReadFile(filepath.Join(root, dir, "cgroup.subtree_control")); err != nil || string(on) != "+cpu" { // the last one written
		t.Errorf("enabled: %q, %v", on, err)
	}
}

func TestASuccessorFindsTheSubtreeOfItsPredecessor(t *testing.T) {
	t.Parallel()
	dir := "sys/fs/cgroup/system.slice/holdfast.service/"
	root := tree(t, map[string]string{
		"proc/self/mountinfo": unified, "proc/self/cgroup": "0::/system.slice/holdfast.service/" + mainGroup + "\n",
		dir + "cgroup.subtree_control": "cpu memory\n", dir + mainGroup + "/cgroup.procs": "41\n",
	})
	if found := findCgroups(root); found.version != 2 || filepath.Base(found.memory) != "holdfast.service" {
		t.Errorf("found %+v", found)
	}
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := "sys/fs/cgroup/user.slice/session.scope/"
	for name, c := range map[string]struct {
		files map[string]string
		note  string
	}{
		"not delegated": {map[string]string{
			"proc/self/mountinfo": unified, "proc/self/cgroup": "0::/user.slice/session.scope\n",
			dir + "cgroup.controllers": "cpu memory\n", dir + "cgroup.subtree_control": "", dir + "cgroup.procs": "41\n", dir + "cgroup.type": "domain\n",
		}, "Delegate=yes"},
		"no controllers": {map[string]string{
			"proc/self/mountinfo": unified, "proc/self/cgroup": "0::/user.slice/session.scope\n", dir + "cgroup.controllers": "hugetlb\n",
		}, "no controllers"},
		"nothing mounted": {map[string]string{"proc/self/mountinfo": "1 2 0:1 / / rw - ext4 /dev/x rw\nnonsense\n", "proc/self/cgroup": "0::/\n"}, "no cgroup hierarchy"},
		"no proc":         {map[string]string{"x": ""}, "find cgroups"},
	} {
		root := tree(t, c.files)
		found := findCgroups(root)
		if found.memory != "" || found.cpu != "" || !strings.Contains(found.note, c.note) {
			t.Errorf("%s: found %+v", name, found)
		}
		if procs, err := os.ReadFile(filepath.Join(root, dir, mainGroup, "cgroup.procs")); err == nil {
			t.Errorf("%s: moved %q", name, procs)
		}
	}
}

func TestTheHierarchiesOfVersion1AreFoundByController(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"proc/self/mountinfo":  "32 31 0:29 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n35 31 0:32 /docker/x /cg/memory rw shared:9 - cgroup cgroup rw,memory\n",
		"proc/self/cgroup":     "4:memory:/docker/x/y\n1:cpu,cpuacct:/\n0::/\n",
		"cg/cpu,cpuacct/tasks": "", "cg/memory/y/tasks": "",
	})
	found := findCgroups(root)
	if found.version != 1 || found.cpu != filepath.Join(root, "cg/cpu,cpuacct") || found.memory != filepath.Join(root, "cg/memory/y") {
		t.Errorf("found %+v", found)
	}
}

func TestSettingsAreTheKernels(t *testing.T) {
	t.Parallel()
	l := Limits{MemoryBytes: 1 << 28, CPUPercent: 50, Background: true}
	two := cgroups{version: 2, memory: "/g", cpu: "/g"}
	one := cgroups{version: 1, memory: "/m", cpu: "/c"}
	for _, c := range []struct {
		got  []setting
		want string
	}{
		{two.settings("/g", l), "memory.max=268435456 memory.swap.max=0 memory.oom.group=1 cpu.max=10000 20000 cpu.weight=1"},
		{one.settings("/m", l), "memory.limit_in_bytes=268435456 memory.memsw.limit_in_bytes=268435456"},
		{one.settings("/c", l), "cpu.cfs_period_us=20000 cpu.cfs_quota_us=10000 cpu.shares=2"},
		{two.settings("/g", Limits{CPUPercent: 1}), "cpu.max=1000 100000"},
		{two.settings("/g", Limits{CPUPercent: 250}), "cpu.max=50000 20000"},
	} {
		var parts []string
		for _, s := range c.got {
			parts = append(parts, s.file+"="+s.value)
		}
		if got := strings.Join(parts, " "); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// The kernel's own hierarchy of version 2, whatever controllers it has: a child
// is born in its group, and nothing is left behind.
func TestAChildIsBornInItsGroup(t *testing.T) {
	t.Parallel()
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mounts, func(m mount) bool { return m.version == 2 })
	if i < 0 || os.Geteuid() != 0 {
		t.Skip("needs a cgroup v2 hierarchy and root")
	}
	s := newSystem("born", Limits{})
	group, err := os.MkdirTemp(mounts[i].point, "holdfast-"+strconv.Itoa(os.Getpid())+"-test-*") //nolint:usetesting // a group, not a directory
	if err != nil {
		t.Skipf("cannot make a group: %v", err)
	}
	*s.made = []string{group}
	dir, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd := exec.CommandContext(t.Context(), "cat", "/proc/self/cgroup")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), filepath.Base(group)) {
		t.Errorf("it is in %q, %v", out, err)
	}
	sleeper := exec.CommandContext(t.Context(), "sleep", "60")
	sleeper.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- sleeper.Wait() }()
	s.remove() // ends those who are still in it
	<-waited
	if _, err := os.Stat(group); err == nil {
		t.Error("the group is left")
	}
}

func TestWithoutCgroupsMemoryIsWatched(t *testing.T) {
	t.Parallel()
	l := newLimiter("me", Limits{MemoryBytes: 1 << 20, CPUPercent: 30})
	l.system.found = cgroups{note: "none today"}
	l.setForce()
	if got := l.inForce().String(); got != "memory 1 MiB by watching, cpu 30% by priority (none today)" {
		t.Errorf("in force: %s", got)
	}
	if over := l.over(os.Getpid()); !strings.Contains(over, "1 are allowed") {
		t.Errorf("this test is said to be %q", over)
	}
	if over := l.over(1 << 30); over != "" {
		t.Errorf("nobody is said to be %q", over)
	}
	l.limits.MemoryBytes = 1 << 50
	if over := l.over(os.Getpid()); over != "" || l.interval() != watchInterval {
		t.Errorf("within its limit it is said to be %q", over)
	}
}

func TestAGroupThatCannotBeUsedIsReplacedByWatching(t *testing.T) {
	t.Parallel()
	l := newLimiter("me", Limits{MemoryBytes: 1 << 28})
	l.system.found = cgroups{version: 2, memory: "/no/such/group"}
	cmd := &exec.Cmd{SysProcAttr: &syscall.SysProcAttr{}}
	l.prepare(cmd)()
	if cmd.SysProcAttr.UseCgroupFD {
		t.Error("it was used")
	}
	l.setForce()
	if f := l.inForce(); f.MemoryBy != ByWatching || !strings.Contains(f.Note, "make cgroup") {
		t.Errorf("in force: %s", f)
	}
	if !slices.Contains(cmd.Env, "GOMEMLIMIT=241591905") {
		t.Errorf("the runtime is told %v", cmd.Env)
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, fr := range []frame{{Kind: hello, ID: 1}, {Kind: call, ID: 2, Method: "x", Left: 3, Body: []byte(`{"a":1}`)}, {Kind: answer, Error: "no"}} {
		var b bytes.Buffer
		if err := writeFrame(&b, fr, maxFrame); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte{255, 255, 255, 255, '{'})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			fr, err := readFrame(r, 1<<16)
			if err != nil {
				return
			}
			var b bytes.Buffer
			if err := writeFrame(&b, fr, 1<<20); err != nil {
				t.Fatalf("%+v was read but cannot be written: %v", fr, err)
			}
			if again, err := readFrame(bufio.NewReader(&b), 1<<20); err != nil || again.Kind != fr.Kind || again.ID != fr.ID {
				t.Fatalf("%+v became %+v, %v", fr, again, err)
			}
		}
	})
}

func TestATruncatedFrameIsAnError(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{"": io.EOF, "\x00\x00": io.ErrUnexpectedEOF, "\x00\x00\x00\x09{}": io.ErrUnexpectedEOF} {
		if _, err := readFrame(bufio.NewReader(strings.NewReader(in)), 100); err != want { //nolint:errorlint // io's sentinels come bare
			t.Errorf("%q: %v, want %v", in, err, want)
		}
	}
}
