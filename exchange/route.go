package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Route sends the requests it matches to a function. Among the routes that
// match, the most telling one wins: exact host before wildcard before any host,
// then exact path before the longest prefix, then the route that names methods,
// then the one that names more header fields, then the earlier one.
type Route struct {
	Host        string            // "": any; "*.example.com": any name below
	Path        string            // prefix by whole segments; "" and "/": all
	Exact       bool              // Path is the whole path
	Methods     []string          // empty: all
	Headers     map[string]string // field: exact value; "" stands for present
	StripPrefix bool              // the instance sees the path without Path
	Function    *Function
}

// ErrRoute marks a route that cannot be used.
var ErrRoute = errors.New("invalid route")

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

type hostRoutes struct {
	byPath map[string][]*Route // key: prefix without its last slash
	depth  int                 // most segments any prefix has
}

// NewRouter compiles routes; the slice is not kept.
func NewRouter(routes []Route) (*Router, error) {
	r := &Router{exact: map[string]*hostRoutes{}, anyHost: newHostRoutes()}
	for i := range routes {
		route := routes[i]
		if route.Function == nil {
			return nil, fmt.Errorf("%w: %q has no function", ErrRoute, route.Path)
		}
		if route.Path != "" && route.Path[0] != '/' {
			return nil, fmt.Errorf("%w: path %q must start with /", ErrRoute, route.Path)
		}
		r.host(strings.ToLower(route.Host)).add(&route)
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

func newHostRoutes() *hostRoutes { return &hostRoutes{byPath: map[string][]*Route{}} }

func (r *Router) host(name string) *hostRoutes {
	if name == "" || name == "*" {
		return r.anyHost
	}
	if suffix, ok := strings.CutPrefix(name, "*"); ok {
		for _, w := range r.wildcards {
			if w.suffix == suffix {
				return w.routes
			}
		}
		r.wildcards = append(r.wildcards, wildcard{suffix, newHostRoutes()})
		return r.wildcards[len(r.wildcards)-1].routes
	}
	if r.exact[name] == nil {
		r.exact[name] = newHostRoutes()
	}
	return r.exact[name]
}

func (h *hostRoutes) add(route *Route) {
	key := strings.TrimSuffix(route.Path, "/")
	h.depth = max(h.depth, strings.Count(key, "/"))
	list := append(h.byPath[key], route)
	slices.SortStableFunc(list, func(a, b *Route) int { return cmp.Compare(b.detail(), a.detail()) })
	h.byPath[key] = list
}

// detail orders routes of one path: exact, then methods, then header fields.
func (r *Route) detail() int {
	d := len(r.Headers)
	if len(r.Methods) > 0 {
		d += 1 << 10
	}
	if r.Exact {
		d += 1 << 20
	}
	return d
}

// Match returns the route of a request, or nil. It does not allocate.
func (r *Router) Match(host, path, method string, header Header) *Route {
	if r == nil {
		return nil
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

// match looks the path's prefixes up from the longest to the shortest; a path
// has no longer look-up than the deepest route, however many slashes it has.
func (h *hostRoutes) match(path, method string, header Header) *Route {
	prefix := cutAtDepth(path, h.depth)
	for {
		for _, route := range h.byPath[strings.TrimSuffix(prefix, "/")] {
			if route.accepts(path, method, header) {
				return route
			}
		}
		cut := strings.LastIndexByte(prefix, '/')
		if cut < 0 {
			return nil
		}
		prefix = prefix[:cut]
	}
}

// cutAtDepth returns path up to the end of its segment number depth.
func cutAtDepth(path string, depth int) string {
	for i := range len(path) {
		if path[i] == '/' {
			if depth < 0 {
				return path[:i]
			}
			depth--
		}
	}
	return path
}

func (r *Route) accepts(path, method string, header Header) bool {
	if r.Exact && path != r.Path {
		return false
	}
	if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
		return false
	}
	for name, want := range r.Headers {
		if got := header.Get(name); got != want && (want != "" || got == "") {
			return false
		}
	}
	return true
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
