package admin

import (
	"net/http"
	"strings"
)

const index = `Holdfast admin listener

/metrics   figures for Prometheus
/healthz   200 while the process answers
/readyz    200 while the gateway can serve, 503 and why while it cannot

Everything else goes through the local socket: holdfast status, holdfast --help.
`

// public answers whoever reaches the TCP listener.
func (s *Server) public() http.Handler {
	mux := http.NewServeMux()
	s.addPublic(mux)
	return guarded{mux}
}

func (s *Server) addPublic(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, index) })
	mux.Handle("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", s.alive)
	mux.HandleFunc("GET /readyz", s.ready)
}

// private answers whoever may open the socket.
func (s *Server) private() http.Handler {
	mux := http.NewServeMux()
	s.addPublic(mux)
	for pattern, a := range map[string]answerer{
		"GET /api/v1/status":                              s.status,
		"GET /api/v1/instances":                           s.instances,
		"GET /api/v1/functions/{function}/instances":      s.instances,
		"GET /api/v1/breakers":                            s.breakers,
		"GET /api/v1/requests":                            s.requests,
		"GET /api/v1/events":                              s.events,
		"GET /api/v1/explain/request/{id...}":             s.explainRequest,
		"GET /api/v1/explain/instance/{function}/{id...}": s.explainInstance,
		"GET /api/v1/explain/breaker/{function}":          s.explainBreaker,
		"GET /api/v1/log-levels":                          s.logLevels,
		"PUT /api/v1/log-levels":                          s.setLogLevel,
		"POST /api/v1/reload":                             s.reload,
	} {
		mux.Handle(pattern, a)
	}
	mux.HandleFunc("GET /api/v1/config", s.configuration)
	return guarded{mux}
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
	hint := "GET / lists what there is"
	if strings.HasPrefix(r.URL.Path, "/api/") {
		hint = "the API is reached through the socket in the data directory, by the commands of holdfast --help"
	}
	writeError(w, refuse(http.StatusNotFound, hint, "there is nothing at %s", r.URL.Path))
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
