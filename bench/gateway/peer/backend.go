//go:build linux

package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Sizes of the bodies a backend answers with, by path; every other path is
// answered like "/".
const (
	SmallSize = 512
	TenKPath  = "/10k"
	TenKSize  = 10 << 10
	OneMPath  = "/1m"
	OneMSize  = 1 << 20
)

// Backend starts an nginx that answers on all of listen. GET gets bodies of the
// sizes above, POST is read to its end and answered like "/".
func (p *Programs) Backend(ctx context.Context, dir string, threads int, listen []string) (*Process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for path, size := range map[string]int{TenKPath: TenKSize, OneMPath: OneMSize} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(strings.Repeat("x", size)), 0o644); err != nil { //nolint:gosec // its workers are somebody else
			return nil, err
		}
	}
	var b strings.Builder
	b.WriteString("  open_file_cache max=10;\n  sendfile on;\n  tcp_nopush on;\n  default_type text/plain;\n  server {\n")
	option := " reuseport" // a socket per address and worker: too many of them for a thousand addresses
	if len(listen) > 10 {
		option = ""
	}
	for _, at := range listen {
		fmt.Fprintf(&b, "    listen %s backlog=4096%s;\n", at, option)
	}
	fmt.Fprintf(&b, "    location / { return 200 %q; }\n", strings.Repeat("x", SmallSize))
	for _, path := range []string{TenKPath, OneMPath} {
		fmt.Fprintf(&b, "    location = %s { root %s; }\n", path, dir)
	}
	b.WriteString("  }")
	config := filepath.Join(dir, "backend.conf")
	if err := os.WriteFile(config, []byte(nginxMain(dir, threads, 16384, b.String())), 0o600); err != nil {
		return nil, err
	}
	return launch(ctx, command{
		program: p.Nginx, args: []string{"-c", config}, listen: listen[0], log: filepath.Join(dir, "backend.log"),
	})
}

// Echo starts this program as a WebSocket server: see EchoVerb.
func Echo(ctx context.Context, dir, listen string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return launch(ctx, command{
		program: self, args: []string{EchoVerb, listen}, listen: listen, log: filepath.Join(dir, "echo.log"),
	})
}
