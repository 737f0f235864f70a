package exchange

import (
	"cmp"
	"slices"
	"strings"
)

// Router finds the route of a request. It is immutable and safe for concurrent
// use; a nil Router matches nothing.
type Router struct {
	exact     map[string]*hostRoutes
	wildcards []wildcard // longest suffix first
	anyHost   *hostRoutes
	functions []*Function
}

type wildcard struct {
	suffix string // ".example.com"
	routes *hostRoutes
}

// hostRoutes are the routes of one host by path, the most telling first.
type hostRoutes struct {
	whole    map[string][]*Route
	prefixes map[string][]*Route
	slashes  int // most of any prefix
}

// NewRouter compiles routes; the slice is not kept. The error is an ErrRoute
// and names the first route that cannot be used.
func NewRouter(routes []Route) (*Router, error) {
	r := &Router{exact: map[string]*hostRoutes{}, anyHost: newHostRoutes()}
	for i := range routes {
		route, err := routes[i].compile()
		if err != nil {
			return nil, err
		}
		r.host(route.Host).add(route)
		if !slices.Contains(r.functions, route.Function) {
			r.functions = append(r.functions, route.Function)
		}
	}
	slices.SortStableFunc(r.wildcards, func(a, b wildcard) int { return cmp.Compare(len(b.suffix), len(a.suffix)) })
	return r, nil
}

// Functions returns the functions the routes lead to, in their order.
func (r *Router) Functions() []*Function {
	if r == nil {
		return nil
	}
	return slices.Clone(r.functions)
}

func newHostRoutes() *hostRoutes {
	return &hostRoutes{whole: map[string][]*Route{}, prefixes: map[string][]*Route{}}
}

func (r *Router) host(name string) *hostRoutes {
	if name == "" {
		return r.anyHost
	}
	if suffix, ok := strings.CutPrefix(name, "*"); ok {
		for _, w := range r.wildcards {
			if w.suffix == suffix {
				return w.routes
			}
		}
		w := wildcard{suffix, newHostRoutes()}
		r.wildcards = append(r.wildcards, w)
		return w.routes
	}
	if r.exact[name] == nil {
		r.exact[name] = newHostRoutes()
	}
	return r.exact[name]
}

func (h *hostRoutes) add(route *Route) {
	table := h.prefixes
	if route.Exact {
		table = h.whole
	} else {
		h.slashes = max(h.slashes, strings.Count(route.Path, "/"))
	}
	list := append(table[route.Path], route)
	slices.SortStableFunc(list, func(a, b *Route) int { return cmp.Compare(b.detail(), a.detail()) })
	table[route.Path] = list
}

// Match returns the route of a request, or nil. The host is in lower case and
// without port. It does not allocate.
func (r *Router) Match(host, path, method string, header Header) *Route {
	if r == nil {
		return nil
	}
	if header == nil {
		header = noHeader{}
	}
	if strings.HasPrefix(host, "[") {
		host = strings.Trim(host, "[]")
	}
	if h := r.exact[host]; h != nil {
		if route := h.match(path, method, header); route != nil {
			return route
		}
	}
	for _, w := range r.wildcards {
		if len(host) > len(w.suffix) && strings.HasSuffix(host, w.suffix) {
			if route := w.routes.match(path, method, header); route != nil {
				return route
			}
		}
	}
	return r.anyHost.match(path, method, header)
}

// match looks the path up as a whole and then its prefixes, from the longest to
// the shortest, with and without their last slash. No look-up is longer than
// the longest route, however long the path is.
func (h *hostRoutes) match(path, method string, header Header) *Route {
	if len(h.whole) > 0 {
		if route := first(h.whole[path], method, header); route != nil {
			return route
		}
	}
	if h.slashes == 0 {
		return nil
	}
	prefix := cutAfter(path, h.slashes)
	for {
		if route := first(h.prefixes[prefix], method, header); route != nil {
			return route
		}
		if prefix = shorter(prefix); prefix == "" {
			return nil
		}
	}
}

// shorter returns the next shorter prefix: /a/b, /a/, /a, / and then "".
func shorter(prefix string) string {
	cut := strings.LastIndexByte(prefix, '/')
	switch {
	case cut < 0, prefix == "/":
		return ""
	case cut == 0:
		return "/"
	case cut == len(prefix)-1:
		return prefix[:cut]
	}
	return prefix[:cut+1]
}

// cutAfter returns the path up to its slash number n, counted from 0.
func cutAfter(path string, n int) string {
	for i := range len(path) {
		if path[i] == '/' {
			if n == 0 {
				return path[:i]
			}
			n--
		}
	}
	return path
}

func first(list []*Route, method string, header Header) *Route {
	for _, route := range list {
		if route.accepts(method, header) {
			return route
		}
	}
	return nil
}
