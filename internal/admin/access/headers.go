package access

import (
	"net/http"
	"net/netip"
)

// Content security policies.
const (
	// PolicyAPI lets an answer do nothing at all, should a browser show it.
	PolicyAPI = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	// PolicyPage is for an embedded page: its own scripts, styles and images,
	// no inline code, connections only back to here.
	PolicyPage = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

// strict holds the values once, so that a request only copies slice headers.
// Nobody appends to them: http.Header.Set replaces, Add copies (the capacity is
// used up).
type strict struct {
	policy, sniff, frame, referrer, cache, resource, opener, transport []string
}

func newStrict() strict {
	return strict{
		policy: []string{PolicyAPI}, sniff: []string{"nosniff"}, frame: []string{"DENY"}, referrer: []string{"no-referrer"},
		cache: []string{"no-store"}, resource: []string{"same-origin"}, opener: []string{"same-origin"},
		transport: []string{"max-age=31536000"},
	}
}

// set sets the headers of every answer. Handlers may replace the policy by
// PolicyPage, and caching for files that are named after their contents.
func (s *strict) set(h http.Header) {
	h["Content-Security-Policy"] = s.policy
	h["X-Content-Type-Options"] = s.sniff
	h["X-Frame-Options"] = s.frame
	h["Referrer-Policy"] = s.referrer
	h["Cache-Control"] = s.cache
	h["Cross-Origin-Resource-Policy"] = s.resource
	h["Cross-Origin-Opener-Policy"] = s.opener
}

// setTransport tells browsers to use TLS only. It holds for the whole host,
// all ports, so it is left out where the host is this machine or an address.
func (s *strict) setTransport(h http.Header, host string) {
	name, ok := hostName(host)
	if _, err := netip.ParseAddr(name); ok && err != nil && name != "localhost" {
		h["Strict-Transport-Security"] = s.transport
	}
}
