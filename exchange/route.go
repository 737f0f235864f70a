package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
)

// Route sends the requests it matches to a function. Among the routes that
// match, the most telling one wins: exact host before wildcard (the longest
// first) before any host, then exact path before the longest prefix, then the
// route that names methods, then the one that names more header fields, then
// the earlier one.
type Route struct {
	Host string // "" and "*": any; "*.example.com": any name below it
	// Path is a prefix by whole segments: /api takes /api and what is below it,
	// /api/ only what is below it. "" and "/" take all.
	Path        string
	Exact       bool              // Path is the whole path
	Methods     []string          // empty: all
	Headers     map[string]string // field: exact value; "*" is any value, present it must be
	StripPrefix bool              // the instance sees the path without Path
	Function    *Function
}

// ErrRoute marks a route that cannot be used.
var ErrRoute = errors.New("invalid route")

// String describes what the route matches.
func (r *Route) String() string {
	s := r.Host + r.Path
	if len(r.Methods) > 0 {
		s = strings.Join(r.Methods, "|") + " " + s
	}
	return s
}

// Forward returns the path the instance sees.
func (r *Route) Forward(path string) string {
	if !r.StripPrefix {
		return path
	}
	rest := strings.TrimPrefix(path, strings.TrimSuffix(r.Path, "/"))
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	return rest
}

// compile returns a copy whose parts are in the form requests have them.
func (r *Route) compile() (*Route, error) {
	c := *r
	if r.Function == nil {
		return nil, fmt.Errorf("%w: %q has no function", ErrRoute, r.String())
	}
	path, err := CleanPath(cmp.Or(r.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrRoute, r.Path, err)
	}
	c.Path = path
	if c.Host, err = cleanHost(r.Host); err != nil {
		return nil, err
	}
	var headers map[string]string
	for name, value := range r.Headers {
		if headers == nil {
			headers = make(map[string]string, len(r.Headers))
		}
		headers[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	c.Headers = headers
	return &c, nil
}

// cleanHost checks the pattern of a host; any host is "".
func cleanHost(pattern string) (string, error) {
	if pattern == "*" || pattern == "" {
		return "", nil
	}
	name := strings.ToLower(strings.TrimSuffix(strings.Trim(pattern, "[]"), "."))
	rest := strings.TrimPrefix(name, "*.")
	_, notAddress := netip.ParseAddr(rest)
	if rest == "" || strings.ContainsAny(rest, "*/ ") || strings.Contains(rest, ":") && notAddress != nil {
		return "", fmt.Errorf("%w: host %q: want a name without port, or *.name", ErrRoute, pattern)
	}
	return name, nil
}

// detail orders routes of one path: methods, then header fields.
func (r *Route) detail() int {
	d := len(r.Headers)
	if len(r.Methods) > 0 {
		d += 1 << 10
	}
	return d
}

// accepts says whether everything but host and path matches.
func (r *Route) accepts(method string, header Header) bool {
	if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
		return false
	}
	if len(r.Headers) == 0 {
		return true // setting out to walk a map costs, also an empty one
	}
	for name, want := range r.Headers {
		if got := header.Get(name); got != want && (want != "*" || got == "") {
			return false
		}
	}
	return true
}
