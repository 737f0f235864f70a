package exchange_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast/exchange"
)

// named makes a function for each name.
func named(tb testing.TB, names ...string) map[string]*exchange.Function {
	tb.Helper()
	all := map[string]*exchange.Function{}
	for _, n := range names {
		f, err := exchange.NewFunction(exchange.FunctionConfig{Name: n})
		if err != nil {
			tb.Fatal(err)
		}
		all[n] = f
	}
	return all
}

func TestTheMostTellingRouteWins(t *testing.T) {
	t.Parallel()
	f := named(t, "root", "api", "below", "v1", "exact", "post", "header", "two", "any", "host", "wild", "longwild", "late")
	router, err := exchange.NewRouter([]exchange.Route{
		{Function: f["root"]},
		{Path: "/api", Function: f["api"]},
		{Path: "/api/", Function: f["below"]},
		{Path: "/api/v1", Function: f["v1"]},
		{Path: "/api/v1", Function: f["late"]},
		{Path: "/api/v1/users", Exact: true, Function: f["exact"]},
		{Path: "/api/v1", Methods: []string{"POST", "PUT"}, Function: f["post"]},
		{Path: "/api/v1", Headers: map[string]string{"x-a": "1"}, Function: f["header"]},
		{Path: "/api/v1", Headers: map[string]string{"x-a": "1", "X-B": "2"}, Function: f["two"]},
		{Path: "/any", Headers: map[string]string{"X-A": "*"}, Function: f["any"]},
		{Host: "Api.Example.com", Path: "/only", Function: f["host"]},
		{Host: "*.example.com", Path: "/only", Function: f["wild"]},
		{Host: "*.eu.example.com", Path: "/only", Function: f["longwild"]},
	})
	if err != nil {
		t.Fatal(err)
	}
	one, both := http.Header{"X-A": {"1"}}, http.Header{"X-A": {"1"}, "X-B": {"2"}}
	for _, c := range []struct {
		host, path, method string
		header             http.Header
		want               string
	}{
		{"", "/", "GET", nil, "root"},
		{"", "/apix", "GET", nil, "root"},
		{"", "/api", "GET", nil, "api"},
		{"", "/api/", "GET", nil, "below"},
		{"", "/api/v", "GET", nil, "below"},
		{"", "/api/v1", "GET", nil, "v1"},
		{"", "/api/v1/", "GET", nil, "v1"},
		{"", "/api/v1/x/y/z", "GET", nil, "v1"},
		{"", "/api/v10", "GET", nil, "below"},
		{"", "/api//v1", "GET", nil, "below"},
		{"", "/api/v1/users", "GET", nil, "exact"},
		{"", "/api/v1/users", "POST", nil, "exact"},
		{"", "/api/v1/users/", "GET", nil, "v1"},
		{"", "/api/v1/x", "POST", nil, "post"},
		{"", "/api/v1/x", "POST", both, "post"},
		{"", "/api/v1/x", "GET", one, "header"},
		{"", "/api/v1/x", "GET", both, "two"},
		{"", "/api/v1/x", "GET", http.Header{"X-A": {"2"}}, "v1"},
		{"", "/any", "GET", http.Header{"X-A": {"7"}}, "any"},
		{"", "/any", "GET", nil, "root"},
		{"api.example.com", "/only", "GET", nil, "host"},
		{"api.example.com", "/only/x", "GET", nil, "host"},
		{"api.example.com", "/else", "GET", nil, "root"}, // no route of the host: those of any host
		{"b.example.com", "/only", "GET", nil, "wild"},
		{"a.b.example.com", "/only", "GET", nil, "wild"},
		{"a.eu.example.com", "/only", "GET", nil, "longwild"},
		{"eu.example.com", "/only", "GET", nil, "wild"},
		{"example.com", "/only", "GET", nil, "root"},
		{"badexample.com", "/only", "GET", nil, "root"},
	} {
		var h exchange.Header
		if c.header != nil {
			h = c.header
		}
		got := router.Match(c.host, c.path, c.method, h)
		if got == nil || got.Function.Name() != c.want {
			t.Errorf("%s %s%s %v: %v, want %s", c.method, c.host, c.path, c.header, got, c.want)
		}
	}
	if got := len(router.Functions()); got != len(f) {
		t.Errorf("%d functions, want %d", got, len(f))
	}
}

func TestARequestThatNothingMatchesHasNoRoute(t *testing.T) {
	t.Parallel()
	f := named(t, "a")["a"]
	router, err := exchange.NewRouter([]exchange.Route{
		{Path: "/a", Methods: []string{"GET"}, Function: f},
		{Host: "h", Path: "/b", Function: f},
		{Path: "/c", Exact: true, Function: f},
		{Host: "[::1]", Path: "/six", Function: f},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range [][3]string{{"", "/a", "POST"}, {"", "/b", "GET"}, {"", "/c/", "GET"}, {"", "/", "GET"}, {"", "", "GET"}, {"h", "/", "GET"}} {
		if got := router.Match(q[0], q[1], q[2], nil); got != nil {
			t.Errorf("%v: %v, want none", q, got)
		}
	}
	for _, host := range []string{"::1", "[::1]"} {
		if router.Match(host, "/six", "GET", nil) == nil {
			t.Errorf("%s: no route", host)
		}
	}
	empty, err := exchange.NewRouter(nil)
	if err != nil || empty.Match("", "/", "GET", nil) != nil {
		t.Error("an empty router matches")
	}
}

func TestRoutesThatCannotMatchAreRefused(t *testing.T) {
	t.Parallel()
	f := named(t, "a")["a"]
	for name, r := range map[string]exchange.Route{
		"no function":       {Path: "/"},
		"relative path":     {Path: "api", Function: f},
		"dot segment":       {Path: "/api/../x", Function: f},
		"path with a query": {Path: "/a?b", Function: f},
		"host with a port":  {Host: "a:80", Function: f},
		"host with a path":  {Host: "a/b", Function: f},
		"wildcard inside":   {Host: "a.*.b", Function: f},
		"wildcard, no dot":  {Host: "*example.com", Function: f},
		"nothing below":     {Host: "*.", Function: f},
	} {
		if _, err := exchange.NewRouter([]exchange.Route{{Path: "/", Function: f}, r}); !errors.Is(err, exchange.ErrRoute) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	router, err := exchange.NewRouter([]exchange.Route{{Host: "Example.COM.", Path: "/%7Euser/\xc3\xbc", Function: f}, {Host: "*", Path: "/any", Function: f}})
	if err != nil || router.Match("example.com", "/~user/%C3%BC/x", "GET", nil) == nil || router.Match("x", "/any", "GET", nil) == nil {
		t.Errorf("a route in another spelling does not match: %v", err)
	}
}

func TestForwardStripsThePrefix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		route, path, want string
		strip             bool
	}{
		{"/api", "/api/x", "/api/x", false},
		{"/api", "/api/x", "/x", true},
		{"/api/", "/api/x/", "/x/", true},
		{"/api/", "/api/", "/", true},
		{"/api", "/api", "/", true},
		{"/api", "/api//x", "//x", true},
		{"/", "/x", "/x", true},
		{"", "/x", "/x", true},
	} {
		r := exchange.Route{Path: c.route, StripPrefix: c.strip}
		if got := r.Forward(c.path); got != c.want {
			t.Errorf("%s stripped of %s: %s, want %s", c.path, c.route, got, c.want)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of the process
	r := benchRig(t, 1, false)
	h := http.Header{"X-A": {"1"}}
	router, err := exchange.NewRouter([]exchange.Route{
		{Path: "/a/b/c/", Headers: map[string]string{"x-a": "1"}, Function: r.f}, {Host: "*.example.com", Path: "/x", Function: r.f},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { router.Match("a.example.com", "/a/b/c/d/e/f", "GET", h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// naive is the rule of Route's comment, read word by word.
func naive(routes []exchange.Route, host, path, method string, h http.Header) int {
	best, rank := -1, []int(nil)
	for n := range routes {
		if r := rankOf(&routes[n], host, path, method, h); r != nil && (rank == nil || slices.Compare(r, rank) > 0) {
			best, rank = n, r
		}
	}
	return best
}

// rankOf is nil for a route that does not match; the higher rank wins.
func rankOf(r *exchange.Route, host, path, method string, h http.Header) []int {
	hostRank := 1 << 20
	switch {
	case r.Host == "":
		hostRank = 0
	case strings.HasPrefix(r.Host, "*"):
		if hostRank = len(r.Host); !strings.HasSuffix(host, r.Host[1:]) || len(host) < len(r.Host) {
			return nil
		}
	case r.Host != host:
		return nil
	}
	exact := 0
	switch {
	case r.Exact:
		if exact = 1; r.Path != path {
			return nil
		}
	case strings.HasSuffix(r.Path, "/"):
		if !strings.HasPrefix(path, r.Path) {
			return nil
		}
	case r.Path != path && !strings.HasPrefix(path, r.Path+"/"):
		return nil
	}
	methods := 0
	if len(r.Methods) > 0 {
		if methods = 1; !slices.Contains(r.Methods, method) {
			return nil
		}
	}
	for k, v := range r.Headers {
		if got := h.Get(k); got != v && (v != "*" || got == "") {
			return nil
		}
	}
	return []int{hostRank, exact, len(r.Path), methods, len(r.Headers)}
}

// randomPath is short and of few letters, so that much of it matches.
func randomPath(rng *rand.Rand) string {
	var b strings.Builder
	for range 1 + rng.IntN(4) {
		b.WriteByte('/')
		b.WriteString([]string{"", "a", "b", "ab"}[rng.IntN(4)])
	}
	return b.String()
}

func matchesLikeNaive(t *testing.T, rng *rand.Rand, f *exchange.Function) {
	t.Helper()
	hosts := []string{"a.x", "x", "b.a.x", "c"}
	routes := make([]exchange.Route, 1+rng.IntN(12))
	for n := range routes {
		r := exchange.Route{
			Host: []string{"", "", "a.x", "x", "*.x", "*.a.x"}[rng.IntN(6)], Path: randomPath(rng), Exact: rng.IntN(4) == 0, Function: f,
			Methods: [][]string{nil, nil, {"GET"}, {"POST", "PUT"}}[rng.IntN(4)],
			Headers: []map[string]string{nil, nil, {"X-A": "1"}, {"X-A": "*"}, {"X-A": "1", "X-B": "*"}}[rng.IntN(5)],
		}
		routes[n] = r
	}
	router, err := exchange.NewRouter(routes)
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		host, path, method := hosts[rng.IntN(4)], randomPath(rng), []string{"GET", "POST"}[rng.IntN(2)]
		h := []http.Header{{}, {"X-A": {"1"}}, {"X-A": {"2"}}, {"X-A": {"1"}, "X-B": {"3"}}}[rng.IntN(4)]
		want, got := naive(routes, host, path, method, h), router.Match(host, path, method, h)
		if (want < 0) != (got == nil) || got != nil && fmt.Sprint(*got) != fmt.Sprint(routes[want]) {
			t.Fatalf("%s %s%s %v: %v, want %d of %v", method, host, path, h, got, want, routes)
		}
	}
}

func TestMatchEqualsTheNaiveRule(t *testing.T) {
	t.Parallel()
	f := named(t, "a")["a"]
	for seed := range uint64(3000) {
		matchesLikeNaive(t, rand.New(rand.NewPCG(seed, 1)), f)
	}
}

func FuzzRouterMatch(f *testing.F) {
	fn := named(f, "a")["a"]
	f.Add(uint64(1), uint64(2), "/a/b")
	f.Fuzz(func(t *testing.T, a, b uint64, path string) {
		matchesLikeNaive(t, rand.New(rand.NewPCG(a, b)), fn)
		routes := []exchange.Route{{Path: path, Function: fn}, {Path: path, Exact: true, Function: fn}}
		router, err := exchange.NewRouter(routes)
		if err != nil {
			return
		}
		clean, err := exchange.CleanPath(path)
		if path == "" {
			clean, err = "/", nil
		}
		if got := router.Match("h", clean, "GET", nil); err != nil || got == nil || !got.Exact {
			t.Errorf("route %q does not take its own path %q: %v", path, clean, err)
		}
	})
}
