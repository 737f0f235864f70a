//go:build !linux

package gateway

import (
	"context"
	"net"

	"holdfast/balancer"
)

func (*Gateway) runLoops(context.Context, *net.TCPListener, func(net.Conn), *ServeConfig) error {
	return ErrNoLoops
}

func allPollable([]*balancer.Instance) bool { return false }
