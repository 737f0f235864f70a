//go:build linux

package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Names of the proxies. The rows of Holdfast differ in one setting each.
const (
	HAProxy        = "haproxy"
	Nginx          = "nginx"
	Caddy          = "caddy"
	Holdfast       = "holdfast"
	HoldfastLogged = "holdfast+log" // with an access log: every exchange, to a file
	HoldfastStd    = "holdfast/std" // with engine std
)

// Names lists what can be compared, the reference first.
func Names() []string {
	return []string{HAProxy, Nginx, Caddy, Holdfast, HoldfastLogged, HoldfastStd}
}

// Programs are the paths of what is started; empty where nobody asked for it.
type Programs struct{ HAProxy, Nginx, Caddy, Holdfast string }

// Topology is what a proxy is to serve.
type Topology struct {
	Dir         string // its own: for configuration, log and state
	Threads     int
	Listen      string // host:port
	Cert, Key   string // files of a certificate; empty: no TLS
	Routes      []Route
	Connections int // at most, of clients
}

// Route sends what is below a path to instances.
type Route struct {
	Path      string   // ends in a slash
	Instances []string // host:port
}

// Start starts the proxy name and waits until it accepts.
func (p *Programs) Start(ctx context.Context, name string, t Topology) (*Process, error) {
	if err := os.MkdirAll(t.Dir, 0o755); err != nil { // nginx's workers are somebody else
		return nil, err
	}
	switch name {
	case HAProxy:
		if err := os.WriteFile(filepath.Join(t.Dir, "routes.map"), []byte(t.haproxyMap()), 0o600); err != nil {
			return nil, err
		}
		return t.launch(ctx, t.haproxy(), p.HAProxy, "-db", "-f")
	case Nginx:
		return t.launch(ctx, t.nginx(), p.Nginx, "-c")
	case Caddy:
		return t.launch(ctx, t.caddy(), p.Caddy, "run", "--adapter", "caddyfile", "--config")
	case Holdfast, HoldfastLogged, HoldfastStd:
		ports, err := FreePorts(ctx, 1)
		if err != nil {
			return nil, err
		}
		return t.launch(ctx, t.holdfast(name, ports[0]), p.Holdfast, "up", "--config")
	default:
		return nil, fmt.Errorf("proxy %q: want one of %v", name, Names())
	}
}

// launch starts a program that takes its configuration file as last argument.
// The file has a directory of its own: Holdfast watches it, and a log beside it
// would be seen to change with every line.
func (t *Topology) launch(ctx context.Context, config, program string, args ...string) (*Process, error) {
	path := filepath.Join(t.Dir, "etc", "proxy.conf")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return launch(ctx, command{
		program: program, args: append(args, path), listen: t.Listen, log: filepath.Join(t.Dir, "proxy.log"),
		env: []string{"HOME=" + t.Dir, "XDG_DATA_HOME=" + t.Dir, "XDG_CONFIG_HOME=" + t.Dir},
	})
}
