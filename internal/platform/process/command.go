package process

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"holdfast/internal/child"
)

// command makes the command of one instance on one port.
func (s Spec) command(id string, port int, environ []string) (*exec.Cmd, error) {
	fill := strings.NewReplacer("{port}", strconv.Itoa(port), "{id}", id)
	if s.Dir != "" && !isDir(s.Dir) {
		return nil, fmt.Errorf("start %q: the directory %s does not exist; create it or correct dir", s.Command[0], s.Dir)
	}
	args := make([]string, len(s.Command))
	for i, arg := range s.Command {
		args[i] = fill.Replace(arg)
	}
	env := s.environ(environ, port, fill)
	path, err := findProgram(args[0], s.Dir, env)
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{Path: path, Args: args, Env: env, Dir: s.Dir, SysProcAttr: child.Attributes()}, nil
}

// environ is the inherited environment, then what the spec says; the last of
// several values of one name counts.
func (s Spec) environ(inherited []string, port int, fill *strings.Replacer) []string {
	env := append(slices.Clone(inherited), "PORT="+strconv.Itoa(port), "HOST=127.0.0.1")
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, key+"="+fill.Replace(s.Env[key]))
	}
	return env
}

// findProgram resolves the program as the child's own shell would: by the
// child's PATH, and a relative path from the child's directory. exec.LookPath
// would use Holdfast's.
func findProgram(name, dir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("find command %q: %w", name, err)
		}
		return abs, executable(name, abs)
	}
	var denied error
	for _, d := range filepath.SplitList(lastValue(env, "PATH")) {
		path := filepath.Join(d, name)
		err := executable(name, path)
		if err == nil {
			return filepath.Abs(path)
		}
		if errors.Is(err, fs.ErrPermission) && denied == nil {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("command %q: not found in PATH; install it, correct the name, or give its full path", name)
}

// executable explains why a path cannot be run, nil when it can.
func executable(name, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("command %q: there is no file %s; correct the path", name, path)
	case err != nil:
		return fmt.Errorf("command %q: %w", name, err)
	case info.IsDir():
		return fmt.Errorf("command %q: %s is a directory; name the program in it", name, path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("command %q: %s is not executable (%w); chmod +x it, or put its interpreter first", name, path, fs.ErrPermission)
	}
	return nil
}

func lastValue(env []string, key string) string {
	for _, entry := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(entry, key+"="); ok {
			return value
		}
	}
	return ""
}

// startError says what to do about the ways an existing program fails to start.
func startError(cmd *exec.Cmd, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.ENOENT):
		hint = "; the file exists, so the interpreter or loader it names does not"
	case errors.Is(err, syscall.ENOEXEC):
		hint = "; it was built for another machine, or is a script without a #! line"
	case errors.Is(err, syscall.EACCES):
		hint = "; look at the permissions of its directories and mount options (noexec)"
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		hint = "; the machine or the limit of processes (ulimit -u, pids.max) is exhausted"
	case errors.Is(err, syscall.E2BIG):
		hint = "; arguments and environment are too long"
	}
	return fmt.Errorf("start %s: %w%s", cmd.Path, err, hint)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
