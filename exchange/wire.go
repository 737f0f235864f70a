package exchange

import (
	"net/netip"
	"strings"
	"time"
)

// The rules in this file are about bytes of messages rather than about a
// function, and all engines keep them.

// MaxInforms is how many 1xx answers an instance may send before an answer. One
// more counts as retry.Reset.
const MaxInforms = 64

// IdleUpstream is how long an idle connection to an instance is kept. Common
// servers close theirs later (5 s in Node.js and uvicorn): a request sent into a
// closing connection is lost, and a POST that was lost cannot be sent again.
const IdleUpstream = 4 * time.Second

// MaxIdleUpstream is how many idle connections an engine keeps to one instance.
const MaxIdleUpstream = 256

// LongAnswer says whether an answer of this content type lasts as long as
// somebody listens.
func LongAnswer(contentType string) bool {
	return hasPrefixFold(contentType, "text/event-stream") || hasPrefixFold(contentType, "application/grpc")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// ColdStartHeader is the field of an answer that says for how many milliseconds
// the request was held until an instance had started.
const ColdStartHeader = "X-Holdfast-Cold-Start"

// maxID is the longest Request.ID a record holds as a whole.
const maxID = len(Text64{}.b)

// ValidID says whether an id that a proxy gave a request may become its
// Request.ID: up to 63 letters, digits and -_.:+/=.
func ValidID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'; !alnum && strings.IndexByte("-_.:+/=", c) < 0 {
			return false
		}
	}
	return id != "" && len(id) <= maxID
}

// ForwardedAddr reads an element of X-Forwarded-For: an address with or without
// brackets and port. IPv4 in IPv6 becomes IPv4, zones are dropped. False: it is
// no address, and nothing before it in the list can be believed.
func ForwardedAddr(element string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(element); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(element, "["); ok {
		if element, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(element)
	return a.Unmap().WithZone(""), err == nil
}

// Location is where a fallback that redirects leads a request for this path.
// query is what follows the path, with its question mark, or "".
func (fb *Fallback) Location(path, query string) string {
	base, open := strings.CutSuffix(fb.Redirect, "*")
	if !open {
		return fb.Redirect
	}
	if base = strings.TrimSuffix(base, "/"); base == "" {
		path = "/" + strings.TrimLeft(path, "/") // "//name" would lead to another host
	}
	return base + path + query
}
