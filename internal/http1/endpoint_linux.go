package http1

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// endpoint is where an instance listens.
type endpoint struct {
	host string // and port, as they were written
	name string // whose addresses have to be found; "": addr is the only one
	addr netip.AddrPort
}

var errEndpoint = errors.New("want http://host or http://host:port")

// Pollable says whether the loops can connect to an endpoint: http on an address
// or a name. Neither TLS nor IPv6 addresses with a zone.
func Pollable(url string) bool {
	_, err := parseEndpoint(url)
	return err == nil
}

func parseEndpoint(url string) (e endpoint, err error) {
	e.host = hostOf(url)
	if !strings.HasPrefix(url, "http://") {
		return e, errEndpoint
	}
	host, port, err := splitPort(e.host)
	if err != nil {
		return e, err
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && !isName(host), addr.Zone() != "", e.host[0] == '[' && !addr.Is6():
		return e, errEndpoint
	case err != nil:
		e.name = host
	}
	e.addr = netip.AddrPortFrom(addr, port)
	return e, nil
}

// splitPort takes host, host:port, and both with an IPv6 address in brackets.
func splitPort(s string) (host string, port uint16, err error) {
	if inner, ok := strings.CutSuffix(s, "]"); ok || strings.IndexByte(s, ':') < 0 {
		return strings.TrimPrefix(inner, "["), 80, nil
	}
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, errEndpoint
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errEndpoint
	}
	return host, uint16(n), nil
}

func isName(s string) bool {
	for i := range len(s) {
		if c := lowered(s[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 253
}

// hostOf returns an endpoint's host and port as they were written.
func hostOf(url string) string {
	_, host, _ := strings.Cut(url, "://")
	return strings.TrimSuffix(host, "/")
}
