// Package postgres starts real PostgreSQL servers for tests: initdb in a temporary directory, a unix socket in it, and a
// port on the loopback. A server can be killed and started again, which is what many tests are about.
//
// Servers keep nothing safe (no fsync) and end with the process that started them. PostgreSQL refuses to run as root, so
// under root it runs as the user postgres.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/test/need"
	"holdfast/test/port"
)

// Server is one server. Its methods are for one goroutine at a time, except Database.
type Server struct {
	Port int

	bin, dir  string
	owner     *syscall.Credential
	cmd       *exec.Cmd
	databases atomic.Int64
}

// Installed ends the test when there is no PostgreSQL to start.
func Installed(tb testing.TB) {
	tb.Helper()
	if _, err := find(); err != nil {
		need.Missing(tb, err.Error())
	}
}

// find returns the directory of initdb and postgres, the newest that Debian installed or the one on the PATH.
func find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("initdb is not installed (Debian: apt-get install postgresql)")
	}
	return filepath.Dir(path), nil
}

func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// Start starts a server that ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	Installed(tb)
	s, err := New(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// New starts a server; Close ends it. For TestMain, which has no test to end with.
func New(ctx context.Context) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if s.owner, err = owner(); err != nil {
		return nil, err
	}
	// Not below the test's own directory: a path of a socket may have 107 bytes.
	if s.dir, err = os.MkdirTemp("", "hfpg"); err != nil {
		return nil, err
	}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// owner is the user to run as; nil is this one.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // no change of user is what nil means to os/exec
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

func (s *Server) create(ctx context.Context) error {
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return err
		}
	}
	var err error
	if s.Port, err = port.Free(); err != nil {
		return err
	}
	// Over TCP passwords count; on the socket, in a directory of the owner's, everybody is who he says.
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres", "--no-sync", "-E", "UTF8",
		"--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// Restart starts the server after Kill or Stop, and waits until it answers.
func (s *Server) Restart(ctx context.Context) error {
	log, err := os.Create(s.log())
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port),
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=100", "-c", "shared_buffers=16MB",
		"-c", "max_wal_size=256MB", "-c", "unix_socket_permissions=0777")
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	dieWithParent(s.cmd.SysProcAttr)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.wait(ctx)
}

// wait returns once the server answers.
func (s *Server) wait(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.Exec(limited, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-limited.Done():
			return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, s.Output()), s.Kill())
		case <-tick.C:
		}
	}
}

// Exec runs statements as the superuser.
func (s *Server) Exec(ctx context.Context, database, statements string) error {
	conn, err := pgx.Connect(ctx, s.Socket("postgres", database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statements)
	return errors.Join(err, conn.Close(ctx))
}

// Socket returns the address of a database over the unix socket, where no password is asked for.
func (s *Server) Socket(role, database string) string {
	return fmt.Sprintf("host=%s port=%d user=%s dbname=%s", s.dir, s.Port, role, database)
}

// URL is Socket as a URL.
func (s *Server) URL(role, database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", role, database, s.dir, s.Port)
}

// Database makes an empty database and returns its address for the superuser.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	if err := s.Exec(tb.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	return s.Socket("postgres", name)
}

// Kill ends the server and its children as kill -9 does, all at once.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	pid := s.cmd.Process.Pid
	children := childrenOf(pid)
	err := syscall.Kill(pid, syscall.SIGKILL)
	for _, c := range children {
		_ = syscall.Kill(c, syscall.SIGKILL) // it may be gone with its parent already
	}
	_ = s.cmd.Wait() // says only that it was killed
	s.cmd = nil
	// A new server refuses to start while a child of the old one holds its shared memory.
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		children = slices.DeleteFunc(children, func(c int) bool { return syscall.Kill(c, 0) != nil })
		if len(children) == 0 {
			break
		}
	}
	return err
}

// Freeze stops the server and its children without ending them, as a machine that hangs. Thaw lets them go on.
func (s *Server) Freeze() error { return s.signalAll(syscall.SIGSTOP) }

// Thaw ends a Freeze.
func (s *Server) Thaw() error { return s.signalAll(syscall.SIGCONT) }

func (s *Server) signalAll(sig syscall.Signal) error {
	err := syscall.Kill(s.cmd.Process.Pid, sig)
	for _, c := range childrenOf(s.cmd.Process.Pid) {
		_ = syscall.Kill(c, sig) // it may just have ended
	}
	return err
}

// childrenOf lists the children of a process. The server gives each a process group of its own.
func childrenOf(pid int) (all []int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil // not on Linux; they end by themselves, a little later
	}
	for word := range strings.FieldsSeq(string(b)) {
		if c, err := strconv.Atoi(word); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// Stop shuts the server down at once, with its connections.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	err := s.cmd.Wait()
	s.cmd = nil
	return err
}

// Close stops the server and removes its files.
func (s *Server) Close() error {
	err := s.Stop()
	for end := time.Now().Add(5 * time.Second); ; { // the children of a killed server may still write
		if rm := os.RemoveAll(s.dir); rm == nil || time.Now().After(end) {
			return errors.Join(err, rm)
		}
	}
}

// Output returns what the server said since it was started last.
func (s *Server) Output() string {
	b, err := os.ReadFile(s.log())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}
