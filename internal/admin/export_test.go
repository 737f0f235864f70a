package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// API is the description of a server, for tests that compare it with what is
// served.
func (s *Server) API() huma.API { return s.api.API }

// Patterns are all routes that are served.
func (s *Server) Patterns() []string { return s.api.mux.list }

// Unguarded serves without asking who somebody is.
func (s *Server) Unguarded() http.Handler { return s.routes() }
