package exchange

import "net/netip"

// Header gives the values of a request's header fields. http.Header is one.
type Header interface {
	// Get returns the first value of the field, or "".
	Get(name string) string
}

// Request is what the rules may look at. The machine borrows the strings until
// Begin returns and copies what it keeps.
type Request struct {
	ID     string // up to 64 bytes; found again with Ring.Find
	Method string
	Host   string // without port, lower case
	Path   string // the bytes that are matched are the bytes that are forwarded
	Header Header
	Client netip.Addr
	Draw   uint64 // random bits; every random choice of the exchange comes from them
}
