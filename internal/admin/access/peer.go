package access

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"

	"holdfast/internal/store"
)

// peer is what a connection says of its other end, found out once for all of
// its requests.
type peer struct {
	local         bool // it came in on the local socket
	identity      Identity
	address, here netip.Addr // of the client and of this end
}

// ConnContext is for http.Server.ConnContext: it asks the kernel who is at the
// other end of a local socket. The user Holdfast runs as, and root, are admin;
// anybody else who managed to open the socket is nobody.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return context.WithValue(ctx, peerKey, &peer{address: addressOf(c.RemoteAddr()).WithZone(""), here: addressOf(c.LocalAddr())})
	}
	p := &peer{local: true}
	if uid, err := peerUID(u); err == nil && (uid == 0 || uid == os.Geteuid()) {
		p.identity = Identity{Kind: Local, Name: "uid " + strconv.Itoa(uid), Role: store.Admin}
	}
	return context.WithValue(ctx, peerKey, p)
}

// peerOf returns the other end of a request's connection. A server without
// ConnContext knows the addresses only.
func peerOf(r *http.Request) *peer {
	if p, ok := r.Context().Value(peerKey).(*peer); ok {
		return p
	}
	return &peer{address: remoteAddress(r), here: localAddress(r)}
}
