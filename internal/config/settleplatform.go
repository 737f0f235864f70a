package config

import (
	"fmt"
	"strconv"
	"strings"
)

// source checks that there is something to send requests to.
func (s *settler) source(f *Function, path string) {
	if len(f.Instances) > 0 || f.Platform.Name() != "" || !s.sound(path+".instances", path+".platform") {
		return
	}
	const message = "has no instances"
	switch s.config.Platform {
	case "":
		s.add(path, message, `add instances: [{url: "http://127.0.0.1:9001"}], or platform: {process: {command: [...]}} to have them started`)
	case PlatformProcess:
		s.add(path, message, "say what to start: platform: {process: {command: [...]}}")
	case PlatformDockerSwarm:
		s.add(path, message, "say which service they are tasks of: platform: {docker-swarm: {service: web, port: 8080}}")
	case PlatformKubernetes:
		s.add(path, message, "say whose pods they are: platform: {kubernetes: {target: deployment/web, service: web}}")
	default:
		s.add(path, message+", and this version cannot find or start any on "+s.config.Platform, `add instances: [{url: "http://127.0.0.1:9001"}]`)
	}
}

func (s *settler) platform(p *Platform, path string) {
	if p.Process != nil {
		s.process(p.Process, path+".process")
	}
	if p.DockerSwarm != nil {
		s.swarm(p.DockerSwarm, path+".docker-swarm")
	}
	if p.Kubernetes != nil {
		s.kubernetes(p.Kubernetes, path+".kubernetes")
	}
}

func (s *settler) process(p *Process, path string) {
	if s.origins.written(path+".command") && s.sound(path+".command") && (len(p.Command) == 0 || p.Command[0] == "") {
		s.add(path+".command", "names no program", `write ["node", "server.js"]`)
	}
	if n := p.Ports.Len(); !p.Ports.IsZero() && n < p.Instances+p.WarmSpares {
		needs := fmt.Sprintf("%d instances", p.Instances)
		if p.WarmSpares > 0 {
			needs += fmt.Sprintf(" and %d warm spares", p.WarmSpares)
		}
		s.add(path+".ports", fmt.Sprintf("has %d ports for %s", n, needs), "widen the range")
	}
}

func (s *settler) swarm(p *DockerSwarm, path string) {
	s.named(p.Service, path+".service", "names no service", "write the name `docker service ls` shows")
	if (p.TLS.Cert == "") != (p.TLS.Key == "") {
		s.add(path+".tls", "has only one of cert and key", "name both, or neither")
	}
	if p.TLS != (SwarmTLS{}) && !strings.HasPrefix(p.Host, "tcp://") {
		s.add(path+".tls", "has no effect: host is no tcp:// address", "write host: tcp://HOST:2376, or remove it")
	}
}

func (s *settler) kubernetes(p *Kubernetes, path string) {
	s.named(p.Target, path+".target", "names nothing to scale", "write deployment/web")
	s.named(p.Service, path+".service", "names no service", "write the name `kubectl get services` shows")
	if n, err := strconv.Atoi(p.Port); err == nil && (n < 1 || n > 65535) {
		s.add(path+".port", fmt.Sprintf("must be between 1 and 65535, or a name, is %d", n), "")
	}
}

// named refuses what was written and is empty.
func (s *settler) named(value, path, message, hint string) {
	if value == "" && s.origins.written(path) && s.sound(path) {
		s.add(path, message, hint)
	}
}
