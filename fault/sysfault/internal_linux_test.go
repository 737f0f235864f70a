package sysfault

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// machine writes what a machine shows of its control groups.
func machine(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	mountV1  = "30 25 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
	mountV2  = "31 25 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	mountBox = "31 25 0:27 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
)

func TestGroupsAreMadeWhereTheVersionAllows(t *testing.T) {
	t.Parallel()
	own := "proc/" + strconv.Itoa(os.Getpid()) + "/cgroup"
	target := Target{PID: os.Getpid()}
	for name, c := range map[string]struct {
		files map[string]string
		place string // below the root; "": not supported
		want  string // of the error
	}{
		"version 1: below": {map[string]string{
			"proc/self/mountinfo": mountV1 + mountV2, own: "4:cpu,cpuacct:/app\n0::/\n", "sys/fs/cgroup/cpu/app/tasks": "",
		}, "sys/fs/cgroup/cpu/app", ""},
		"version 2: beside": {map[string]string{
			"proc/self/mountinfo": mountV2, own: "0::/apps/one\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory",
			"sys/fs/cgroup/apps/cgroup.subtree_control": "cpu",
		}, "sys/fs/cgroup/apps", ""},
		"version 2: in a container": {map[string]string{
			"proc/self/mountinfo": mountBox, own: "0::/box/apps/one\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory",
			"sys/fs/cgroup/apps/cgroup.subtree_control": "cpu",
		}, "sys/fs/cgroup/apps", ""},
		"version 2: not enabled": {map[string]string{
			"proc/self/mountinfo": mountV2, own: "0::/apps/one\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory",
			"sys/fs/cgroup/apps/cgroup.subtree_control": "memory",
		}, "", "the controller cpu is not enabled below"},
		"no such controller": {map[string]string{
			"proc/self/mountinfo": mountV2, own: "0::/apps/one\n", "sys/fs/cgroup/cgroup.controllers": "memory",
		}, "", "no mounted control groups have the controller cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := machine(t, c.files)
			u, err := planGroups(CPU{Target: target, Percent: 5}, target, root, "cpu", "id")
			if c.place == "" {
				if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %+v, %v, want not supported: %s", u, err, c.want)
				}
				return
			}
			if want := filepath.Join(root, c.place, "id-0"); err != nil || len(u.Groups) != 1 || u.Groups[0].Dir != want {
				t.Errorf("got %+v, %v, want a group in %s", u, err, want)
			}
		})
	}
}

func TestFillTakesOnlySmallFileSystemsInMemory(t *testing.T) {
	t.Parallel()
	_, err := Fill{Dir: "/proc"}.plan("id")
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("plan = %v", err)
	}
}

func TestOnlyTheTopMountIsTakenAway(t *testing.T) {
	t.Parallel()
	const info = "1 2 0:3 / /a\\040b rw - tmpfs mine rw\n2 2 0:3 / /c rw - tmpfs mine rw\n3 2 0:4 / /c rw - tmpfs theirs rw\n"
	for dir, want := range map[string]string{"/a b": "mine", "/c": "theirs"} {
		if top, there := topMount(info, dir, "mine"); top != want || !there {
			t.Errorf("on %s is %q, %v", dir, top, there)
		}
	}
	if _, there := topMount(info, "/d", "mine"); there {
		t.Error("on /d is nothing")
	}
}

// FuzzAnswers: what the kernel says is read without a fault, whatever it is.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x14\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x15\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xffx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, _ := readAnswers(b); n > len(b)/20 {
			t.Fatalf("%d answers in %d bytes", n, len(b))
		}
	})
}

// A driver that forgot a fault would pass over what it left, so each kind is looked for where it would be.
func TestWhatIsLeftBehindIsFound(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "left")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Driver{active: map[string]*injected{}}
	for _, i := range []*injected{
		{text: "file", undo: undo{Kind: undoFile, File: file}},
		{text: "no file", undo: undo{Kind: undoFile, File: file + "-none"}},
		{text: "group", undo: undo{Kind: undoCgroup, Groups: []moved{{Dir: filepath.Dir(file)}}}},
		{text: "no mount", undo: undo{Kind: undoMount, Dir: "/", Source: "nothing"}},
		{text: "this process", undo: undo{Kind: undoThaw, Processes: []process{{PID: os.Getpid()}}}},
	} {
		d.leave(i)
	}
	if got := strings.Join(d.Left(), "; "); got != "file: it is still there; group: it is still there" {
		t.Errorf("left behind is %q", got)
	}
	for range 2 * mostPast {
		d.leave(&injected{})
	}
	if n := len(d.past); n > mostPast {
		t.Errorf("%d faults are remembered", n)
	}
}
