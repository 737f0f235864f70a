package install_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/test/holdfast"
	"holdfast/test/need"
)

func TestTheUnitsAreSoundAndHardened(t *testing.T) {
	t.Parallel()
	analyze := need.Command(t, "systemd-analyze")
	dir := t.TempDir()
	for _, name := range []string{"holdfast.service", "holdfast.socket"} {
		b, err := os.ReadFile("../../deploy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		// The only thing about it that is not so on this machine.
		b = bytes.ReplaceAll(b, []byte("/usr/bin/holdfast"), []byte(holdfast.Binary(t)))
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unit := filepath.Join(dir, "holdfast.service")
	out, err := exec.CommandContext(t.Context(), analyze, "verify", unit, filepath.Join(dir, "holdfast.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "holdfast.") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// 0 is no exposure, 100 all of it; a service without any of it has 96.
	out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=25", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
}

// manager plays systemd's end of sd_notify.
type manager struct {
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.conn.Close()
		os.RemoveAll(dir)
	})
	return m
}

// hears returns the next message that is no sign of life.
func (m *manager) hears(t *testing.T) string {
	t.Helper()
	b := make([]byte, 4096)
	_ = m.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		n, err := m.conn.Read(b)
		if err != nil {
			t.Fatalf("nothing is heard: %v", err)
		}
		if s := string(b[:n]); s != "WATCHDOG=1" {
			return s
		}
	}
}

func TestTheServiceManagerIsToldEverything(t *testing.T) {
	m := newManager(t)
	t.Setenv("NOTIFY_SOCKET", m.path)
	t.Setenv("WATCHDOG_USEC", "200000")
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	write := func(more string) {
		t.Helper()
		text := "log: {access: off}\n" + more + fmt.Sprintf("functions:\n  web:\n    routes: [{path: /}]\n    platform: {process: {command: [%q, demo-function, --name, web, --id, '{id}', --port, '{port}']}}\n", holdfast.Binary(t))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	p := holdfast.Up(t, "-c", file)
	ready := func(p *holdfast.Process) string { return fmt.Sprintf("READY=1\nMAINPID=%d", p.PID()) }
	if got := m.hears(t); got != ready(p) {
		t.Errorf("at the start it hears %q", got)
	}
	if err := p.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if got := m.hears(t); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("at a reload it hears %q", got)
	}
	if got := m.hears(t); got != ready(p) {
		t.Errorf("after a reload it hears %q", got)
	}
	// The watchdog is fed.
	b := make([]byte, 100)
	_ = m.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := m.conn.Read(b); err != nil || string(b[:n]) != "WATCHDOG=1" {
		t.Errorf("the watchdog hears %q, %v", b[:n], err)
	}
	q := p.Replace(t, "-c", file)
	if got := m.hears(t); got != ready(q) {
		t.Errorf("after a replacement it hears %q", got)
	}
	if err := p.Wait(20 * time.Second); err != nil {
		t.Errorf("the old one: %v", err)
	}
	if err := q.Stop(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := m.hears(t); got != "STOPPING=1" { // and not from the one that was replaced
		t.Errorf("at the end it hears %q", got)
	}
}

func TestSocketActivationServesAndIsHandedOn(t *testing.T) {
	t.Parallel()
	activate := need.Command(t, "systemd-socket-activate")
	dir, err := os.MkdirTemp("", "hf-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	port := freePort(t)
	args := []string{
		holdfast.Binary(t), "up", "--listen", "127.0.0.1:1", "--admin-listen", "127.0.0.1:0", "--data-dir", dir,
		"--", holdfast.Binary(t), "demo-function", "--name", "web", "--id", "{id}", "--port", "{port}",
	}
	cmd := exec.CommandContext(t.Context(), activate, append([]string{"--listen=127.0.0.1:" + port, "--fdname=gateway"}, args...)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The first connection starts it. Port 1 of its arguments is never used.
	serves(t, "http://127.0.0.1:"+port+"/api/web/hello")
	out, err := exec.CommandContext(t.Context(), holdfast.Binary(t), "upgrade", "--data-dir", dir).CombinedOutput()
	var pid int
	if _, scanErr := fmt.Sscanf(string(out), "process %d has taken over", &pid); err != nil || scanErr != nil {
		t.Fatalf("upgrade: %v %s", err, out)
	}
	serves(t, "http://127.0.0.1:"+port+"/api/web/hello")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the first process ended with %v\n%s", err, &log)
	}
	if res, err := http.Get("http://127.0.0.1:" + port + "/"); err == nil {
		res.Body.Close()
		t.Error("somebody still answers")
	}
}
