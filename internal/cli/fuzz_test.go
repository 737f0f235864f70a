package cli

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"holdfast/internal/app"
)

// FuzzAnswers lets something else sit behind the local socket: another version,
// a program that took the place. No command may panic or hang, each ends with
// an exit code of the list, and what it prints cannot steer a terminal.
func FuzzAnswers(f *testing.F) {
	commands := [][]string{
		{"status"},
		{"instances"},
		{"breakers"},
		{"requests"},
		{"events"},
		{"actions"},
		{"audit"},
		{"log-level"},
		{"function", "list"},
		{"token", "list"},
		{"explain", "request", "x"},
		{"explain", "instance", "a/b"},
		{"explain", "breaker", "a"},
		{"config", "get", "--origin"},
		{"config", "history"},
		{"config", "show"},
		{"config", "set", "a", "1"},
		{"reload"},
		{"function", "scale", "a", "up"},
		{"function", "failover", "a"},
		{"healthcheck"},
		{"doctor"},
		{"token", "create", "a"},
		{"function", "weight", "a", "b", "1"},
		{"upgrade"},
	}
	for i := range commands {
		f.Add(uint8(i), uint16(200), `{"functions":[{"name":"a\u001b[2J","instances":null}],"instances":[{"process":{}}],"events":[{"at":"x"}],"lines":["\u009b31m"]}`)
		f.Add(uint8(i), uint16(200), "null")
	}
	f.Add(uint8(0), uint16(503), "\x1b]0;title\x07not json")
	f.Add(uint8(1), uint16(409), `{"success":false,"error":"a\u001b[1mb","hint":"\r\n","problems":[{"field":"x"},{"field":"y"}]}`)
	f.Add(uint8(16), uint16(99), "[")
	dir, err := os.MkdirTemp("", "hf-") // a socket's path must be short
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(dir) })
	said := make(chan string, 1)
	impostor(f, filepath.Join(dir, app.SocketName), said)
	f.Fuzz(func(t *testing.T, which uint8, status uint16, body string) {
		hang := time.AfterFunc(60*time.Second, func() { panic("a command hangs") })
		defer hang.Stop()
		said <- fmt.Sprintf("HTTP/1.1 %03d X\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n%s", status%1000, len(body), body)
		defer func() { <-said }()
		args := append([]string{}, commands[int(which)%len(commands)]...)
		var out, errs bytes.Buffer
		code := Main(t.Context(), Environment{
			Args: append(args, "--data-dir", dir), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		})
		if code < exitDone || code > exitUnreachable {
			t.Errorf("%v: exit code %d", args, code)
		}
		if args[0] == "config" && args[1] == "show" {
			return // YAML, printed as it came
		}
		for _, r := range out.String() + errs.String() {
			if unicode.IsControl(r) && r != '\n' {
				t.Fatalf("%v prints %U: %q %q", args, r, out.String(), errs.String())
			}
		}
	})
}

// impostor answers every question on a socket with what said holds.
func impostor(f *testing.F, path string, said chan string) {
	f.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		f.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = conn.Read(make([]byte, 64<<10))
			text := <-said
			_, _ = conn.Write([]byte(text))
			said <- text
			_ = conn.Close()
		}
	}()
	f.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
}

// FuzzAge reads ages as people write them; what is taken is printed so that it
// is taken for the same.
func FuzzAge(f *testing.F) {
	for _, text := range []string{"30d", "1d12h", "12h", "d", "-3d", "1d-1h", "65535d", "65536d", "1d2d", "0d1m", "9223372036854775807ns", "1e3h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, again days
		if d.Set(text) != nil {
			if d != 0 {
				t.Errorf("%q is refused and counts as %v", text, &d)
			}
			return
		}
		if time.Duration(d) < time.Minute {
			t.Errorf("%q is %v", text, &d)
		}
		if err := again.Set(d.String()); err != nil || again != d {
			t.Errorf("%q is printed as %v, which is %v, %v", text, &d, &again, err)
		}
	})
}
