package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// greeter stands for a server of your own. While it is ill its answers are 500,
// but for its health check, so that only traffic can notice.
type greeter struct {
	name string
	ill  atomic.Bool
}

// ServeHTTP implements http.Handler.
func (g *greeter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch who, greets := strings.CutPrefix(r.URL.Path, "/greet/"); {
	case r.URL.Path == "/health":
	case g.ill.Load():
		http.Error(w, g.name+" is ill", http.StatusInternalServerError)
	case greets:
		fmt.Fprintf(w, "%s greets %s\n", g.name, who)
	default:
		http.NotFound(w, r)
	}
}
