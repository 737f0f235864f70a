package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/app"
)

// fewFiles is what a gateway with some hundred clients and instances needs.
const (
	fewFiles   = 4096
	fewWaiting = 512
)

// lookAtLimits asks what the system lets a process have.
func (d *doctor) lookAtLimits() {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if files.Cur < fewFiles {
			d.add(problem, "limits", fmt.Sprintf("a process may have %d files open: each client and each instance needs one", files.Cur),
				fmt.Sprintf("ulimit -n %d, or LimitNOFILE=%d in the systemd unit", 65536, 65536), "operations.md#limits-of-the-machine")
		} else {
			d.ok("limits", "a process may have %d files open", files.Cur)
		}
	}
	if n, err := readNumber("/proc/sys/net/core/somaxconn"); err == nil && n < fewWaiting {
		d.add(warning, "limits", fmt.Sprintf("only %d connections may wait to be accepted: a burst is refused", n),
			"sysctl net.core.somaxconn=4096", "operations.md#limits-of-the-machine")
	}
	if low, high, err := portRange(); err == nil && high-low < 10_000 {
		d.add(warning, "limits", fmt.Sprintf("only %d local ports for connections to instances", high-low),
			`sysctl net.ipv4.ip_local_port_range="10240 65000"`, "operations.md#limits-of-the-machine")
	}
	if n, err := readNumber("/sys/fs/cgroup/memory.max"); err == nil && n < 64<<20 {
		d.add(warning, "limits", fmt.Sprintf("this group of processes may use %d MiB of memory", n>>20), "give it 128 MiB or more", "operations.md#limits-of-the-machine")
	}
}

// judgeClock tells what a clock is worth: now is what it says, kept whether
// somebody keeps it right.
func (d *doctor) judgeClock(now time.Time, kept bool) {
	const page = "troubleshooting.md#the-clock-is-wrong"
	switch {
	case now.Year() < 2024:
		d.add(problem, "clock", "it says "+now.Format(time.DateOnly), "set it: tokens and certificates depend on it", page)
	case !kept:
		d.add(warning, "clock", "nobody keeps it right: "+now.Format(time.DateTime), "run chrony or systemd-timesyncd; in a container that is the host's matter", page)
	default:
		d.ok("clock", "%s, nothing speaks against it", now.Format(time.DateTime))
	}
}

func readNumber(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

func portRange() (low, high int, err error) {
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(b), &low, &high)
	}
	return low, high, err
}

// lookAtDataDir finds a directory or a token that others can read.
func (d *doctor) lookAtDataDir() {
	const page = "operations.md#the-data-directory"
	dir := d.config.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.ok("data directory", "%s will be made", dir)
		return
	case err != nil:
		d.add(problem, "data directory", err.Error(), "make it readable for the user Holdfast runs as", page)
		return
	case !info.IsDir():
		d.add(problem, "data directory", dir+" is no directory", "name another with --data-dir", page)
		return
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		d.add(problem, "data directory", err.Error(), "chown it to the user Holdfast runs as", page)
		return
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		d.add(warning, "data directory", err.Error(), "look at the disk", page)
	}
	token := filepath.Join(dir, access.BootstrapName)
	if info, err := os.Stat(token); err == nil && info.Mode().Perm()&0o077 != 0 {
		d.add(problem, "data directory", token+" can be read by others", "delete it and restart: a new token is made", page)
		return
	}
	d.ok("data directory", "%s can be written", dir)
}

// lookAtPorts tries to listen where Holdfast will.
func (d *doctor) lookAtPorts() {
	for _, l := range []struct{ key, address string }{{"listen", d.config.Listen}, {"admin.listen", d.config.Admin.Listen}} {
		var lc net.ListenConfig
		ln, err := lc.Listen(context.Background(), "tcp", l.address)
		switch {
		case err == nil:
			_ = ln.Close()
			d.ok("ports", "%s %s is free", l.key, l.address)
		case errors.Is(err, syscall.EADDRINUSE):
			d.add(problem, "ports", fmt.Sprintf("%s: %s is taken by another program", l.key, l.address), "ss -ltnp names it; stop it, or choose another port", "troubleshooting.md#it-does-not-start")
		case errors.Is(err, syscall.EACCES):
			d.add(problem, "ports", fmt.Sprintf("%s: %s needs more rights", l.key, l.address), "choose a port above 1023, or give the binary cap_net_bind_service", "troubleshooting.md#it-does-not-start")
		default:
			d.add(problem, "ports", fmt.Sprintf("%s: %v", l.key, err), "correct the address", "troubleshooting.md#it-does-not-start")
		}
	}
}

// lookAtStore opens the store and looks at its tables. It makes none.
func (d *doctor) lookAtStore(ctx context.Context) {
	const page = "troubleshooting.md#the-store-is-down"
	if d.config.Store == "sqlite" {
		if _, err := os.Stat(filepath.Join(d.config.DataDir, "state.db")); errors.Is(err, fs.ErrNotExist) {
			d.ok("store", "will be made at the first start")
			return
		}
	}
	s, err := app.OpenStore(d.config)
	if err != nil {
		d.add(problem, "store", err.Error(), "correct store in the configuration", page)
		return
	}
	defer func() { _ = s.Close() }() // it was only read
	checks, err := s.Verify(ctx)
	if err != nil {
		d.add(problem, "store", err.Error(), "Holdfast serves without it, takes no orders, and goes on by itself when it is back", page)
		return
	}
	for _, c := range checks {
		if !c.OK {
			d.add(problem, "store", c.Name+": "+c.Detail, "holdfast setup makes what is missing", page)
			return
		}
	}
	d.ok("store", "%s passed", counted(len(checks), "check"))
}

const dialTimeout = 2 * time.Second

// lookAtInstances connects to those that run somewhere else.
func (d *doctor) lookAtInstances(ctx context.Context) {
	for _, name := range slices.Sorted(maps.Keys(d.config.Functions)) {
		f := d.config.Functions[name]
		for i := range f.Instances {
			d.connect(ctx, name, f.Instances[i].ID, f.Instances[i].URL)
		}
		if len(f.Instances) == 1 {
			d.add(warning, "instances", fmt.Sprintf("function %s has a single instance: nobody takes over for it", name), "add a second one", "troubleshooting.md#load-balancing-issues")
		}
	}
}

func (d *doctor) connect(ctx context.Context, function, id, endpoint string) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return // the configuration was checked
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		d.add(problem, "instances", fmt.Sprintf("%s/%s at %s cannot be reached: %v", function, id, endpoint, err), "start it, or correct its url", "troubleshooting.md#health-checks-fail")
		return
	}
	_ = conn.Close()
	d.ok("instances", "%s/%s answers at %s", function, id, endpoint)
}
