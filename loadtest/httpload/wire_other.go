//go:build !linux

package httpload

import (
	"net"
	"net/netip"
)

// wired leaves connections as they are.
func wired(raw net.Conn) net.Conn { return raw }

// direct is for Linux only; whatever is no address of a target is never asked for.
func (*user) direct(*conn, netip.AddrPort) error { return net.ErrClosed }

const directly = false
