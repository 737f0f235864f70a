//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/bench/gateway/peer"
)

// sample is one tool's part of one round.
type sample struct {
	CPU    float64 // us per good answer
	Rate   float64 // good answers per second
	Memory float64 // KiB per user, in the case users
	Load   float64 // of the machine
	Others float64 // part of the processors that somebody else had
}

// bout is one case: tools in interleaved rounds.
type bout struct {
	name, against string
	users, rate   int
	entries       []*entry
}

// entry is a tool in a case.
type entry struct {
	tool    tool
	rounds  []sample
	missing string
}

const usersCase = "users"

func bouts(p *plan) []*bout {
	return []*bout{
		{name: "closed", against: reference, users: p.users},
		{name: "open-2000", against: openReference, users: p.users, rate: 2000},
		{name: "open-10000", against: openReference, users: p.users, rate: 10_000},
		{name: usersCase, against: reference, users: p.crowd},
	}
}

// rounds of the case users are two at most: each is long, and memory hardly varies.
func (b *bout) rounds(p *plan) int {
	if b.name == usersCase {
		return min(p.rounds, 2)
	}
	return p.rounds
}

func caseNames() []string {
	var names []string
	for _, b := range bouts(&plan{}) {
		names = append(names, b.name)
	}
	return names
}

// runner runs bouts.
type runner struct {
	plan        *plan
	dir, url    string
	nginx       *peer.Process
	paths       map[string]string
	diagnostics io.Writer
	report      *report
}

// measure runs the cases of the plan.
func (p *plan) measure(ctx context.Context, diagnostics io.Writer) (*report, error) {
	dir, err := os.MkdirTemp("", "holdfast-loadgen-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)                      //nolint:errcheck // a leftover in the temporary directory
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nginx's workers are somebody else
		return nil, err
	}
	r := &runner{plan: p, dir: dir, diagnostics: diagnostics, paths: map[string]string{}, report: &report{
		plan: p, started: time.Now(), versions: map[string]string{},
	}}
	if err := raiseFiles(); err != nil {
		return nil, err
	}
	if err := r.serve(ctx); err != nil {
		return nil, err
	}
	defer r.nginx.Stop()
	list := r.enter(ctx)
	for _, b := range list {
		for round := range b.rounds(p) {
			if err := r.round(ctx, b, round); err != nil {
				return nil, err
			}
		}
	}
	r.report.bouts = list
	return r.report, nil
}

// raiseFiles lets this process and those it starts open as many files as the
// system allows.
func raiseFiles() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("ask for the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}

// serve starts the target.
func (r *runner) serve(ctx context.Context) error {
	path, err := peer.Find(peer.Nginx)
	if err != nil {
		return err
	}
	if r.report.versions[peer.Nginx], err = peer.Version(ctx, path); err != nil {
		return err
	}
	ports, err := peer.FreePorts(ctx, 1)
	if err != nil {
		return err
	}
	at := "127.0.0.1:" + strconv.Itoa(ports[0])
	r.url = "http://" + at + "/"
	programs := peer.Programs{Nginx: path}
	r.nginx, err = programs.Backend(ctx, filepath.Join(r.dir, "nginx"), r.plan.threads, []string{at})
	return err
}

// enter finds the tools and says which take part in what.
func (r *runner) enter(ctx context.Context) []*bout {
	missing := map[string]string{}
	for _, t := range tools() {
		if !slices.Contains(r.plan.tools, t.name) {
			continue
		}
		path, version, err := t.find(ctx)
		if err != nil {
			missing[t.name], _, _ = strings.Cut(err.Error(), "\n")
			fmt.Fprintf(r.diagnostics, "%-10s missing: %v\n", t.name, err)
			continue
		}
		r.paths[t.name], r.report.versions[t.name] = path, version
	}
	var list []*bout
	for _, b := range bouts(r.plan) {
		if !slices.Contains(r.plan.cases, b.name) {
			continue
		}
		for _, t := range tools() {
			if slices.Contains(r.plan.tools, t.name) && (b.rate == 0 || t.open) {
				b.entries = append(b.entries, &entry{tool: t, missing: missing[t.name]})
			}
		}
		list = append(list, b)
	}
	return list
}

// round lets every tool have its part; only an end of ctx is an error.
func (r *runner) round(ctx context.Context, b *bout, round int) error {
	for i := range b.entries {
		e := b.entries[(i+round)%len(b.entries)] // nobody is always the first
		if e.missing != "" {
			continue
		}
		s, err := r.sample(ctx, b, e)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			e.missing, _, _ = strings.Cut(fmt.Sprintf("round %d: %v", round+1, err), "\n")
			fmt.Fprintf(r.diagnostics, "%-10s %-8s missing: %v\n", b.name, e.tool.name, err)
			continue
		}
		e.rounds = append(e.rounds, s)
		fmt.Fprintf(r.diagnostics, "%-10s %d/%d %-8s %7.2f us %8.0f/s %6.1f KiB/user  load %.1f others %.0f %%\n", b.name, round+1, r.plan.rounds,
			e.tool.name, s.CPU, s.Rate, s.Memory, s.Load, 100*s.Others)
	}
	return nil
}

var (
	errBadAnswers = errors.New("not all answers were right")
	errFew        = errors.New("there were fewer answers than users")
	errSlow       = errors.New("it fell short of half of the rate")
)

// few is the number of users that memory is compared with.
const few = 10

func (r *runner) sample(ctx context.Context, b *bout, e *entry) (sample, error) {
	j := job{URL: r.url, Users: b.users, Threads: r.plan.threads, Seconds: int(r.plan.round / time.Second), Rate: b.rate, Dir: filepath.Join(r.dir, e.tool.name)}
	if b.name == usersCase {
		j.Seconds = max(j.Seconds, 8) // ten thousand connections take a while
	}
	done, err := r.observed(ctx, &e.tool, &j)
	if err != nil {
		return sample{}, err
	}
	s := done.sample()
	if s.Load, err = loadAverage(); err != nil {
		return s, err
	}
	if b.rate > 0 && s.Rate < float64(b.rate)/2 {
		return s, fmt.Errorf("%w: %.0f/s", errSlow, s.Rate)
	}
	if b.name != usersCase {
		return s, nil
	}
	if done.Good < int64(b.users) {
		return s, fmt.Errorf("%w: %d answers", errFew, done.Good)
	}
	j.Users, j.Seconds = few, 1
	base, err := r.observed(ctx, &e.tool, &j)
	s.Memory = float64(done.memory-base.memory) / 1024 / float64(b.users-few)
	return s, err
}

// observed runs a job and notes how much of the machine somebody else had.
func (r *runner) observed(ctx context.Context, t *tool, j *job) (*ended, error) {
	nginx, err := r.nginx.CPU()
	if err != nil {
		return nil, err
	}
	busy, err := peer.BusyTime()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	done, err := perform(ctx, t, r.paths[t.name], j)
	if err != nil {
		return nil, err
	}
	whole := time.Since(begun) * time.Duration(runtime.NumCPU())
	busyNow, err1 := peer.BusyTime()
	nginxNow, err2 := r.nginx.CPU()
	done.others = max(0, float64((busyNow-busy)-(nginxNow-nginx)-done.cpu)/float64(whole))
	return done, errors.Join(err1, err2)
}

// ended is a process that has done its job.
type ended struct {
	outcome
	cpu    time.Duration
	memory int64 // bytes, the peak
	others float64
}

func (e *ended) sample() sample {
	return sample{
		CPU: float64(e.cpu.Nanoseconds()) / 1e3 / float64(e.Good), Rate: float64(e.Good) / e.Elapsed.Seconds(), Others: e.others,
	}
}

// perform starts the tool, waits for it and reads what it says.
func perform(ctx context.Context, t *tool, path string, j *job) (*ended, error) {
	if err := os.MkdirAll(j.Dir, 0o755); err != nil {
		return nil, err
	}
	args, script := t.command(j)
	if script != "" {
		if err := os.WriteFile(j.script(), []byte(script), 0o600); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, j.length()+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // found by us
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(j.Threads), "HOME="+j.Dir)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watchPeak(cmd.Process.Pid, stop) }()
	err := cmd.Wait()
	close(stop)
	e := &ended{memory: <-peak, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if err != nil {
		return nil, fmt.Errorf("%w: %.300s%.300s", err, said.Bytes(), out.Bytes())
	}
	report, err := t.output(ctx, path, j, out.Bytes())
	if err != nil {
		return nil, err
	}
	if e.outcome, err = t.read(j, report); err != nil {
		return nil, err
	}
	if e.Bad > 0 || e.Good == 0 || e.Elapsed <= 0 {
		return nil, fmt.Errorf("%w: %d good, %d bad: %s", errBadAnswers, e.Good, e.Bad, e.Why)
	}
	return e, nil
}

// output is what the tool reports, wherever it does.
func (t *tool) output(ctx context.Context, path string, j *job, printed []byte) ([]byte, error) {
	switch t.name {
	case openReference:
		return exec.CommandContext(ctx, path, "report", "-type", "json", j.summary()).Output() //nolint:gosec // found by us
	case "k6":
		return os.ReadFile(j.summary())
	}
	return printed, nil
}

// watchPeak reads the peak of a process's memory until stop is closed. What
// wait4 says is no use: it counts the parent's, from before the exec.
func watchPeak(pid int, stop <-chan struct{}) (peak int64) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return peak
		case <-ticker.C:
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has ended
		}
		if _, rest, found := strings.Cut(string(status), "\nVmHWM:"); found {
			if fields := strings.Fields(rest); len(fields) > 0 {
				kib, _ := strconv.ParseInt(fields[0], 10, 64) // a number, says proc(5)
				peak = max(peak, kib<<10)
			}
		}
	}
}

func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}
