package admin

import (
	"cmp"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/internal/admin/access"
	"holdfast/internal/dashboard"
	"holdfast/internal/store"
)

const index = `Holdfast admin interface

/admin/monitoring   the page: what is wrong, why, and what is done about it
/metrics            figures for Prometheus
/healthz            200 while the process answers
/readyz             200 while the gateway can serve, 503 and why while it cannot
/api/openapi.json   what else there is, for those with a token

On this machine: holdfast status, holdfast --help.
`

// routes is everything that is served, on both listeners alike. Who may ask
// what is decided by the guard in front of it and by the role of an operation.
func (s *Server) routes() http.Handler {
	mux := &patterns{ServeMux: http.NewServeMux()}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, index) })
	mux.HandleFunc("GET /metrics", s.figures)
	mux.HandleFunc("GET /healthz", s.alive)
	mux.HandleFunc("GET /readyz", s.ready)
	page := dashboard.New(access.PolicyPage)
	mux.HandleFunc("GET "+dashboard.Root, page.ServeHTTP)
	mux.HandleFunc("GET "+dashboard.Root+"/", page.ServeHTTP)
	a := s.newAPI(mux)
	a.addAll()
	a.addPlain()
	s.api, s.document = a, a.document()
	mux.HandleFunc("GET "+documentPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write(s.document) // whoever asked may have left
	})
	return anyContentType(guarded{mux.ServeMux})
}

// patterns remembers what is served, so that a test can compare it with what
// is described.
type patterns struct {
	*http.ServeMux

	list []string
}

// HandleFunc implements humago.Mux.
func (p *patterns) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	p.list = append(p.list, pattern)
	p.ServeMux.HandleFunc(pattern, h)
}

// addPlain describes what is served as plain text.
func (a *api) addPlain() {
	for _, p := range []struct{ id, path, summary, about, kind string }{
		{"index", "/", "What there is", "", "text/plain"},
		{"metrics", "/metrics", "Figures for Prometheus", "Beyond this machine, and everywhere with admin.metrics_token, this needs the role viewer.", "text/plain"},
		{"healthz", "/healthz", "Whether the process answers", "", "text/plain"},
		{"readyz", "/readyz", "Whether the gateway can serve", "503 and why while it cannot; as JSON with `Accept: application/json`.", "text/plain"},
		{"page", dashboard.Root, "The page", "Its files lie below it. What it shows it asks of this API.", "text/html"},
		{"page-files", dashboard.Root + "/", "The page and its files", "", "text/html"},
		{"openapi", documentPath, "This document", "", "application/json"},
	} {
		o := a.operation(op{id: p.id, method: http.MethodGet, path: p.path, tag: "plain", summary: p.summary, about: p.about})
		o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{p.kind: {Schema: &huma.Schema{}}}}}
		a.describeErrors(&o)
		a.OpenAPI().AddOperation(&o)
	}
}

// addAll adds every operation of the API.
func (a *api) addAll() {
	s := a.server
	viewer := func(id, path, tag, summary string, errors ...int) op {
		return op{id: id, method: http.MethodGet, path: "/api/v1/" + path, tag: tag, summary: summary, role: store.Viewer, errors: errors}
	}
	handle(a, viewer("status", "status", "status", "How everything is, on one page"), s.status)
	handle(a, viewer("health", "health", "status", "How Holdfast itself is: store, memory, goroutines"), s.own)
	handle(a, viewer("performance", "performance", "status", "How functions, instances and Holdfast perform, and what is out of the ordinary", 503), s.performance)
	a.addLive()
	a.addFunctions()
	a.addInstances()
	handle(a, viewer("breakers", "breakers", "functions", "Breakers with their state and the reason", 404), s.breakers)
	handle(a, viewer("function-history", "functions/{function}/history", "functions", "Minute series of a function", 404, 503), s.past)
	handle(a, viewer("function-lately", "functions/{function}/recent", "functions", "The last quarter of an hour of a function, a point each 5 s", 404), s.latelyOf)
	handle(a, viewer("breaker-timeline", "functions/{function}/breaker/timeline", "functions", "How the breaker of a function changed", 404, 503), s.breakerTimeline)
	handle(a, viewer("function-scaling", "functions/{function}/scaling", "functions", "The decisions about the number of instances of a function", 404, 503), s.scaling)
	handle(a, op{
		id: "function-rehearse", method: http.MethodPost, path: "/api/v1/functions/{function}/scaling/simulate", tag: "functions", role: store.Viewer, errors: []int{404, 409, 503},
		summary: "Try another scaling on the function's past, beside the one in force",
		about:   "Nothing is changed. One at a time, within 10 s, on half a core at most; 409 says that there is no history to try it on.",
	}, s.rehearse)
	handle(a, viewer("requests", "requests", "explain", "The last requests", 404), s.requests)
	handle(a, viewer("explain-request", "explain/request/{id}", "explain", "The story of a request: gates, attempts, decisions", 404), s.explainRequest)
	handle(a, viewer("explain-instance", "explain/instance/{function}/{instance}", "explain", "Why an instance is as it is", 404), s.explainInstance)
	handle(a, viewer("explain-breaker", "explain/breaker/{function}", "explain", "Why a breaker is as it is, and what comes next", 404), s.explainBreaker)
	handle(a, viewer("explain-scaling", "explain/scaling/{function}", "explain", "Why a function has as many instances as it has", 404, 503), s.explainScaling)
	a.addEvents()
	a.addLogs()
	a.addConfiguration()
	a.addSettings()
	a.addTrials()
	a.addTokens()
	a.addSession()
	a.addRecovery()
	a.addRuns()
	a.addAlerts()
}

func (a *api) addConfiguration() {
	s := a.server
	o := a.operation(op{
		id: "config", method: http.MethodGet, path: "/api/v1/config", tag: "configuration", role: store.Viewer, errors: []int{503},
		summary: "The configuration in force as YAML, secrets masked",
	})
	o.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{"application/yaml": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(a.API, o, s.configuration)
	handle(a, op{
		id: "reload", method: http.MethodPost, path: "/api/v1/reload", tag: "configuration", role: store.Operator, errors: []int{503},
		summary: "Read the configuration again",
	}, s.reload)
	handle(a, op{
		id: "log-levels", method: http.MethodGet, path: "/api/v1/log-levels", tag: "configuration", role: store.Viewer,
		summary: "What is logged",
	}, s.logLevels)
	handle(a, op{
		id: "log-level-set", method: http.MethodPut, path: "/api/v1/log-levels", tag: "configuration", role: store.Operator, errors: []int{404},
		summary: "Change what is logged, until the next start",
	}, s.setLogLevel)
}

// addSession adds what browsers log in with. The guard answers; here it is
// described.
func (a *api) addSession() {
	g := a.server.config.Guard
	schema := func(t any) *huma.Schema {
		switch t.(type) {
		case Login:
			return a.OpenAPI().Components.Schemas.Schema(typeOf[Login](), true, "")
		default:
			return a.OpenAPI().Components.Schemas.Schema(typeOf[access.Who](), true, "")
		}
	}
	who := map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: schema(access.Who{})}}}}
	type raw struct {
		op

		answers map[string]*huma.Response
		body    bool
		handler http.Handler
	}
	const path = "/api/v1/session"
	away := map[string]*huma.Response{"303": {Description: "See Other"}}
	for _, r := range []raw{
		{op{id: "login", method: http.MethodPost, summary: "Get a session cookie for a token", errors: []int{401, 403, 415, 503}}, who, true, g.Login()},
		{op{id: "logout", method: http.MethodDelete, summary: "End the session", errors: []int{403}}, map[string]*huma.Response{"204": {Description: "No Content"}}, false, g.Logout()},
		{op{id: "who-am-i", method: http.MethodGet, summary: "Who the request comes from, and how one could sign in"}, who, false, g.WhoAmI()},
		{op{id: "sign-in", method: http.MethodGet, path: access.SignInPath, summary: "Send a browser to the provider's page", errors: []int{403, 404, 503}}, away, false, g.StartSignIn()},
		{op{id: "sign-in-callback", method: http.MethodGet, path: access.CallbackPath, summary: "What the provider sends a browser back to", errors: []int{403, 404, 503}}, away, false, g.FinishSignIn()},
	} {
		r.path, r.tag = cmp.Or(r.path, path), "access"
		o := a.operation(r.op)
		o.Responses = r.answers
		if r.body {
			o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema(Login{})}}}
		}
		a.describeErrors(&o)
		a.OpenAPI().AddOperation(&o)
		a.Adapter().Handle(&o, func(ctx huma.Context) {
			req, w := unwrap(ctx)
			r.handler.ServeHTTP(w, req)
		})
	}
}

// Login is the body of a login.
type Login struct {
	Token string `json:"token" doc:"hf_..."`
}

// describeErrors does what huma does for the operations it serves itself.
func (a *api) describeErrors(o *huma.Operation) {
	schema := a.OpenAPI().Components.Schemas.Schema(typeOf[Error](), true, "")
	for _, code := range o.Errors {
		key := statusKey(code)
		if o.Responses[key] == nil {
			o.Responses[key] = &huma.Response{Description: http.StatusText(code), Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
		}
	}
}

// guarded turns the mux's own refusals into the API's.
type guarded struct{ mux *http.ServeMux }

// ServeHTTP implements http.Handler.
func (g guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := g.mux.Handler(r)
	if pattern != "" {
		g.mux.ServeHTTP(w, r)
		return
	}
	seen := refusal{header: http.Header{}}
	h.ServeHTTP(&seen, r)
	if seen.status == http.StatusMethodNotAllowed {
		allow := seen.header.Get("Allow")
		w.Header().Set("Allow", allow)
		writeError(w, refuse(seen.status, "", "%s is not possible here, only %s", r.Method, allow))
		return
	}
	writeError(w, refuse(http.StatusNotFound, "GET / and GET "+documentPath+" list what there is", "there is nothing at %s", access.Mask(r.URL.Path)))
}

// refusal catches what the mux would have answered.
type refusal struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (r *refusal) Header() http.Header { return r.header }

// Write implements http.ResponseWriter.
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (r *refusal) WriteHeader(status int) { r.status = status }
