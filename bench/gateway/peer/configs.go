//go:build linux

package peer

import (
	"fmt"
	"path/filepath"
	"strings"
)

// haproxy chooses the backend by a map of prefixes, its fastest way. Tunnels,
// idle connections and what waits may stay for as long as a run takes.
func (t *Topology) haproxy() string {
	var b strings.Builder
	bind := t.Listen
	if t.Cert != "" {
		bind += " ssl crt " + t.Cert // the key is beside it as CERT.key
	}
	fmt.Fprintf(&b, `global
  nbthread %d
  maxconn %d
  no strict-limits
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 30s
  timeout http-keep-alive 1h
  timeout tunnel 1h
  option forwardfor
  option httpchk GET /
  option redispatch 1
  http-reuse always
  retries 2
  balance random(2)
  default-server check inter 30s fall 3 rise 2
frontend bench
  bind %s
`, t.Threads, t.Connections+100, bind)
	if len(t.Routes) > 1 {
		fmt.Fprintf(&b, "  use_backend %%[path,map_beg(%s)]\n", filepath.Join(t.Dir, "routes.map"))
	}
	b.WriteString("  default_backend b0\n")
	for i, r := range t.Routes {
		fmt.Fprintf(&b, "backend b%d\n", i)
		for k, instance := range r.Instances {
			fmt.Fprintf(&b, "  server s%d %s\n", k, instance)
		}
	}
	return b.String()
}

// haproxyMap maps the paths of routes to backends.
func (t *Topology) haproxyMap() string {
	var b strings.Builder
	for i, r := range t.Routes {
		fmt.Fprintf(&b, "%s b%d\n", r.Path, i)
	}
	return b.String()
}

// nginxMain is what all configurations of nginx have around their servers. It
// keeps bodies off the disk and connections for as long as they are used.
func nginxMain(dir string, threads, connections int, servers string) string {
	return fmt.Sprintf(`daemon off;
worker_processes %d;
worker_rlimit_nofile %d;
pid %[3]s/pid;
error_log stderr crit;
events { worker_connections %[2]d; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path %[3]s/body;
  proxy_temp_path %[3]s/proxy;
  fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi;
  scgi_temp_path %[3]s/scgi;
%[4]s
}
`, threads, connections, dir, servers)
}

func (t *Topology) nginx() string {
	var b strings.Builder
	b.WriteString("  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n")
	for i, r := range t.Routes {
		fmt.Fprintf(&b, "  upstream b%d {\n    random two least_conn;\n", i)
		for _, instance := range r.Instances {
			fmt.Fprintf(&b, "    server %s max_fails=5 fail_timeout=30s;\n", instance)
		}
		b.WriteString("    keepalive 512;\n    keepalive_requests 1000000000;\n  }\n")
	}
	ssl := ""
	if t.Cert != "" {
		ssl = " ssl"
	}
	fmt.Fprintf(&b, "  server {\n    listen %s reuseport backlog=4096%s;\n", t.Listen, ssl)
	if t.Cert != "" {
		fmt.Fprintf(&b, "    ssl_certificate %s;\n    ssl_certificate_key %s;\n    ssl_protocols TLSv1.2 TLSv1.3;\n", t.Cert, t.Key)
	}
	b.WriteString(`    proxy_http_version 1.1;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_next_upstream_tries 3;
    proxy_max_temp_file_size 0;
    proxy_read_timeout 1h;
`)
	for i, r := range t.Routes {
		fmt.Fprintf(&b, "    location %s { proxy_pass http://b%d; }\n", r.Path, i)
	}
	b.WriteString("  }")
	return nginxMain(t.Dir, t.Threads, 2*t.Connections+1000, b.String())
}

func (t *Topology) caddy() string {
	scheme, tls := "http", ""
	if t.Cert != "" {
		scheme, tls = "https", fmt.Sprintf("  tls %s %s\n", t.Cert, t.Key)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{
  admin off
  auto_https off
  persist_config off
  grace_period 1s
  log {
    level ERROR
  }
  servers {
    protocols h1
    timeouts {
      idle 1h
    }
  }
}
%s://%s {
%s`, scheme, t.Listen, tls)
	for _, r := range t.Routes {
		fmt.Fprintf(&b, `  reverse_proxy %s* %s {
    lb_policy random_choose 2
    lb_retries 2
    max_fails 5
    fail_duration 30s
    health_uri /
    health_interval 30s
    transport http {
      keepalive_idle_conns_per_host 512
      compression off
    }
  }
`, r.Path, strings.Join(r.Instances, " "))
	}
	b.WriteString("}\n")
	return b.String()
}

// holdfast has its defaults, but for what differs by name and for the times
// that connections may be idle.
func (t *Topology) holdfast(name string, adminPort int) string {
	engine, access, tls := "http1", "off", ""
	switch name {
	case HoldfastLogged:
		access = "all"
	case HoldfastStd:
		engine = "std"
	}
	if t.Cert != "" {
		tls = fmt.Sprintf("tls: {cert: %q, key: %q}\n", t.Cert, t.Key)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `listen: %s
engine: %s
%sdata_dir: %q
admin: {listen: "127.0.0.1:%d"}
log: {access: %q}
limits: {idle_timeout: 1h}
shutdown_timeout: 1s
functions:
`, t.Listen, engine, tls, filepath.Join(t.Dir, "data"), adminPort, access)
	for i, r := range t.Routes {
		fmt.Fprintf(&b, "  f%d:\n    routes: [{path: %s}]\n    health: {path: /, interval: 30s}\n    instances:\n", i, r.Path)
		for _, instance := range r.Instances {
			fmt.Fprintf(&b, "      - {url: \"http://%s\"}\n", instance)
		}
	}
	return b.String()
}
