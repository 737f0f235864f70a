//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package health

import "net"

// quiet cannot look without reading here; the exchange will show.
func quiet(net.Conn) bool { return true }
