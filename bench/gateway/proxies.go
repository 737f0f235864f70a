//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// proxyNames lists what can be compared.
func proxyNames() []string { return append([]string{"haproxy", "nginx"}, engineNames()...) }

// setup is a backend and the proxies in front of it.
type setup struct {
	backend *process
	proxies []*process // in the order of the plan
}

func (s *setup) stop() {
	for _, p := range slices.Backward(s.proxies) {
		p.stop()
	}
	if s.backend != nil {
		s.backend.stop()
	}
}

// start starts the backend and the proxies of the plan. What was started is
// in the setup also when there is an error.
func (p *plan) start(ctx context.Context, dir string) (*setup, error) {
	s := &setup{}
	ports, err := freePorts(ctx, 2+len(p.proxies))
	if err != nil {
		return s, err
	}
	l := launcher{plan: p, dir: dir, targets: [2]string{loopback(ports[0]), loopback(ports[1])}}
	if s.backend, err = l.backend(ctx); err != nil {
		return s, err
	}
	for i, name := range p.proxies {
		proxy, err := l.proxy(ctx, name, loopback(ports[2+i]))
		if err != nil {
			return s, err
		}
		s.proxies = append(s.proxies, proxy)
	}
	return s, nil
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// launcher starts programs with configurations of its own.
type launcher struct {
	plan    *plan
	dir     string
	targets [2]string // where the backend listens
}

func (l *launcher) proxy(ctx context.Context, name, listen string) (*process, error) {
	switch name {
	case "haproxy":
		return l.withConfig(ctx, name, listen, l.haproxyConfig(listen), "haproxy", "-db", "-f")
	case "nginx":
		return l.withConfig(ctx, name, listen, l.nginxConfig(name, l.nginxProxy(listen)), "nginx", "-c")
	default:
		return l.engine(ctx, name, listen)
	}
}

func (l *launcher) backend(ctx context.Context) (*process, error) {
	server := fmt.Sprintf(`  server {
    listen %s reuseport;
    listen %s reuseport;
    location / { default_type text/plain; return 200 "%s"; }
  }`, l.targets[0], l.targets[1], strings.Repeat("x", l.plan.size))
	return l.withConfig(ctx, "backend", l.targets[0], l.nginxConfig("backend", server), "nginx", "-c")
}

// withConfig starts a program that takes its configuration file as last argument.
func (l *launcher) withConfig(ctx context.Context, name, listen, config, program string, args ...string) (*process, error) {
	path := filepath.Join(l.dir, name+".conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	found, err := find(program)
	if err != nil {
		return nil, err
	}
	return launch(ctx, listen, filepath.Join(l.dir, name+".log"), found, append(args, path)...)
}

// find looks where Debian keeps servers too, which is not on everybody's PATH.
func find(program string) (string, error) {
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: scripts/deps.sh installs it", program)
}

func (l *launcher) haproxyConfig(listen string) string {
	return fmt.Sprintf(`global
  nbthread %d
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 30s
  timeout http-keep-alive 60s
  option forwardfor
  http-reuse always
  retries 2
listen bench
  bind %s
  balance random(2)
  server one %s
  server two %s
`, l.plan.threads, listen, l.targets[0], l.targets[1])
}

func (l *launcher) nginxConfig(name, server string) string {
	return fmt.Sprintf(`daemon off;
worker_processes %d;
pid %s;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 60s;
  client_body_temp_path %[3]s/body;
  proxy_temp_path %[3]s/proxy;
  fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi;
  scgi_temp_path %[3]s/scgi;
%[4]s
}
`, l.plan.threads, filepath.Join(l.dir, name+".pid"), l.dir, server)
}

func (l *launcher) nginxProxy(listen string) string {
	return fmt.Sprintf(`  upstream backend {
    random two least_conn;
    server %s;
    server %s;
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen %s reuseport;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }`, l.targets[0], l.targets[1], listen)
}
