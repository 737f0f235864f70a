//go:build !linux

package httpload

import "net"

// wired leaves connections as they are.
func wired(raw net.Conn) net.Conn { return raw }
