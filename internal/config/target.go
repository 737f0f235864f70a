package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// defaultFunction is the name of the one function of a run without
// configuration, and of LOAD_BALANCER_INSTANCES.
const defaultFunction = "default"

// maxProcesses is the bound of Process.Instances.
const maxProcesses = 1000

var (
	errNoTarget  = errors.New("no address to forward to")
	errNoCommand = errors.New("no command to start")
)

// Default returns a Config with every default and no function.
func Default() *Config {
	c := &Config{}
	catalog{}.fill(reflectOf(c), false)
	return c
}

// NewFunction returns a function of the profile (`function` or `service`, empty
// is `function`) with every default.
func NewFunction(profile string) *Function {
	f := &Function{}
	catalog{}.fill(reflectOf(f), profile == "service")
	if profile != "" {
		f.Profile = profile
	}
	return f
}

// NewProcess returns n child processes of a command with every default.
func NewProcess(command []string, n int) *Process {
	p := &Process{}
	catalog{}.fill(reflectOf(p), false)
	p.Command, p.Instances = command, n
	return p
}

// ForTarget is the configuration of `up --to`: the function `default` takes
// everything to the given addresses. They may be short: `3000`, `:3000`,
// `host:3000`, `http://host:3000`. Hand it to Load as Base, so that the
// environment still counts.
func ForTarget(targets []string) (*Config, error) {
	if len(targets) == 0 {
		return nil, errNoTarget
	}
	c := Default()
	f := NewFunction("")
	f.Routes = []Route{{Path: "/"}}
	for _, target := range targets {
		u, err := hostOf(target)
		if err != nil {
			return nil, err
		}
		id := hostAndPort(u)
		if slices.ContainsFunc(f.Instances, func(i Instance) bool { return i.ID == id }) {
			return nil, fmt.Errorf("read address %q: %s is given twice; give each address once", clip(target), id)
		}
		f.Instances = append(f.Instances, Instance{URL: u, ID: id, Weight: 1})
	}
	c.Functions = map[string]*Function{defaultFunction: f}
	return c, nil
}

// ForCommand is the configuration of `up -- COMMAND`: the function `default` is
// n child processes, at least one, that are told their port in PORT.
func ForCommand(argv []string, n int) (*Config, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, errNoCommand
	}
	if n < 1 || n > maxProcesses {
		return nil, fmt.Errorf("start %q: %d instances are not between 1 and %d", clip(argv[0]), n, maxProcesses)
	}
	c := Default()
	f := NewFunction("")
	f.Routes = []Route{{Path: "/"}}
	p := NewProcess(argv, n)
	p.Env = map[string]string{"PORT": "{port}"}
	f.Platform.Process = p
	c.Functions = map[string]*Function{defaultFunction: f}
	return c, nil
}

// hostOf reads an address the way people write it and returns it as a URL.
func hostOf(target string) (string, error) {
	text := strings.TrimSpace(target)
	port, _, _ := strings.Cut(text, "/") // what follows is refused below, by its own name
	if _, err := strconv.ParseUint(port, 10, 64); err == nil {
		text = ":" + text
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("read address %q: want a port, host:port or http://host:port", clip(target))
	}
	if u.Hostname() == "" && u.Port() != "" {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	text = u.String()
	if message, hint := checkInstanceURL(&text); message != "" {
		return "", fmt.Errorf("read address %q: it %s; %s", clip(target), message, hint)
	}
	return text, nil
}

// hostAndPort names an instance by its URL.
func hostAndPort(instanceURL string) string {
	_, host, _ := strings.Cut(instanceURL, "://")
	return host
}
