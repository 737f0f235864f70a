package process

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
)

// holdPort claims the port among all Holdfast processes of this network
// namespace. A socket bound to the port itself would keep children that do not
// set SO_REUSEADDR from binding it; a name in the abstract socket namespace
// keeps out nobody else, and vanishes with the process.
func holdPort(ctx context.Context, port int) (io.Closer, error) {
	var lc net.ListenConfig
	return lc.ListenPacket(ctx, "unixgram", fmt.Sprintf("@holdfast/port/%d", port))
}

// ephemeralFrom is the first port the kernel gives to outgoing connections.
func ephemeralFrom() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 32768
	}
	var from, to int
	if n, err := fmt.Sscan(string(text), &from, &to); err != nil || n != 2 {
		return 32768
	}
	return from
}
