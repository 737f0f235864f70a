package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hosts knows the names under which this interface is reached. A page whose
// own name was made to point at our address (DNS rebinding) sends its name.
type hosts struct{ names map[string]bool }

// newHosts takes names and addresses without port; "*" is not possible.
func newHosts(names []string) (*hosts, error) {
	h := &hosts{names: map[string]bool{"localhost": true}}
	for _, n := range names {
		name, ok := hostName(n)
		if !ok || strings.Contains(name, "*") {
			return nil, fmt.Errorf("host name %q: want a name or an address without port", n)
		}
		h.names[name] = true
	}
	return h, nil
}

// allowed decides about the Host header of a request that came in on local.
// Names must be configured. An address cannot be rebound: on a listener that
// only this machine reaches it must be a loopback address or the listener's
// own, on others any will do, since port forwarding hides which one was used.
func (h *hosts) allowed(host string, local netip.Addr) bool {
	name, ok := hostName(host)
	if !ok {
		return false
	}
	if h.names[name] {
		return true
	}
	address, err := netip.ParseAddr(name)
	if err != nil || address.IsUnspecified() {
		return false
	}
	address, local = address.Unmap(), local.Unmap()
	return address.IsLoopback() || address == local || local.IsValid() && !local.IsLoopback()
}

// hostName returns the name of a Host header in lower case, without port,
// brackets and final dot.
func hostName(host string) (string, bool) {
	name := host
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || !validPort(host[end+1:]) {
			return "", false
		}
		address, err := netip.ParseAddr(host[1:end])
		return address.String(), err == nil && address.Is6() && address.Zone() == ""
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host, ':') == i {
		if !validPort(host[i:]) {
			return "", false
		}
		name = host[:i]
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name != "" && (name[0] >= '0' && name[0] <= '9' || strings.Contains(name, ":")) { // else it cannot be an address
		if address, err := netip.ParseAddr(name); err == nil {
			return address.String(), address.Zone() == ""
		}
	}
	return name, validName(name)
}

// validPort accepts "" and ":1" to ":65535".
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 {
		return false
	}
	n := 0
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n >= 1 && n <= 65535
}

func validName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 253
}

// localAddress returns the address a request came in on; invalid when unknown.
func localAddress(r *http.Request) netip.Addr {
	a, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return addressOf(a)
}

func addressOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// remoteAddress returns the client's address; invalid when it has none.
func remoteAddress(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}
