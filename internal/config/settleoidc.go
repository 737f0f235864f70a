package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// callbackPath is where the admin interface takes browsers back.
const callbackPath = "/api/v1/session/oidc/callback"

func (s *settler) oidc(o *OIDC, path string) {
	r := &o.Roles
	if len(r.Viewer)+len(r.Operator)+len(r.Admin) == 0 && s.sound(path+".roles") {
		s.add(path+".roles", "gives nobody a role, so nobody could come in", "write which values of the claim "+clip(o.Claim)+" give which: {viewer: [staff], admin: [platform]}")
	}
	all := slices.Contains(r.Viewer, "*") || slices.Contains(r.Operator, "*")
	if slices.Contains(r.Admin, "*") {
		s.add(path+".roles.admin", "is everybody", "name the groups that may change everything")
	} else if all && len(o.Domains) == 0 && s.sound(path+".domains") {
		s.add(path+".roles", "lets in everybody whom the provider knows, which may be everybody", "write domains: [example.com], or name groups in place of *")
	}
	if len(o.Domains) > 0 && s.sound(path+".scopes") && !slices.Contains(o.Scopes, "email") {
		s.add(path+".domains", "needs the scope email, and scopes leaves it out", "add email to scopes")
	}
}

// checkIssuer wants an address that nobody in between can speak for.
func checkIssuer(s string) (message, hint string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must be a URL such as https://accounts.example.com", "leave out /.well-known/openid-configuration"
	case u.Scheme == "http" && !isLoopbackName(u.Hostname()):
		return "must begin with https://", "http:// is for a provider on this machine only"
	case strings.Contains(u.Path, "/.well-known/"):
		return "must end before /.well-known", "it is added"
	}
	return "", ""
}

func isLoopbackName(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkCallback(s string) (message, hint string) {
	u, err := url.Parse(s)
	bad := err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopbackName(u.Hostname()))
	if bad || u.Path != callbackPath {
		return "must be https://HOST" + callbackPath, "HOST is the name under which browsers reach the admin interface"
	}
	return "", ""
}
