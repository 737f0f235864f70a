package config

import (
	"net/url"
	"strings"
)

// checkDockerHost wants an address as DOCKER_HOST has it.
func checkDockerHost(text string) (message, hint string) {
	const example = "write unix:///var/run/docker.sock or tcp://10.0.0.1:2376"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "":
	case u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/"),
		u.Scheme == "tcp" && u.Port() != "" && isHostPort(u.Host) && strings.Trim(u.Path, "/") == "":
		return "", ""
	}
	return "must be unix://PATH or tcp://HOST:PORT", example
}

// checkTarget wants KIND/NAME.
func checkTarget(text string) (message, hint string) {
	kind, name, found := strings.Cut(text, "/")
	return when(!found || !isPlatformName(kind) || !isPlatformName(name), "must be KIND/NAME", "write deployment/web")
}

// isPlatformName accepts every name that a platform gives, and nothing that
// would lead elsewhere in the path of one of its URLs.
func isPlatformName(s string) bool {
	letters := strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
	return letters == "" && s != "" && s[0] != '.' && s[0] != '-' && len(s) <= 253
}
