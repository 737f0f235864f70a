package admin

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// documentPath is where the description of the API is.
const documentPath = "/api/openapi.json"

func statusKey(code int) string { return strconv.Itoa(code) }

// document is the API as OpenAPI 3.1, the same bytes every time.
func (a *api) document() []byte {
	b, err := a.OpenAPI().MarshalJSON()
	if err != nil {
		panic("describe the API: " + err.Error()) // of this package's types only; every test would show it
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		panic("describe the API: " + err.Error())
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// OpenAPI returns the description of the API.
func (s *Server) OpenAPI() []byte { return s.document }

// figures serves /metrics: to everybody on this machine, elsewhere to viewers.
func (s *Server) figures(w http.ResponseWriter, r *http.Request) {
	if s.config.MetricsToken || !arrivedLocally(r) {
		if err := access.Check(r.Context(), store.Viewer); err != nil {
			writeError(w, err)
			return
		}
	}
	s.metrics.ServeHTTP(w, r)
}

// arrivedLocally says whether a request reached an address that only this
// machine reaches.
func arrivedLocally(r *http.Request) bool {
	switch a := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		ip, ok := netip.AddrFromSlice(a.IP)
		return ok && ip.Unmap().IsLoopback()
	}
	return false
}
