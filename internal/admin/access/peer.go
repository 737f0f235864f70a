package access

import (
	"context"
	"net"
	"os"
	"strconv"

	"holdfast/internal/store"
)

// ConnContext is for http.Server.ConnContext: it asks the kernel who is at the
// other end of a local socket. The user Holdfast runs as, and root, are admin;
// anybody else who managed to open the socket is nobody.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	id := Identity{}
	if uid, err := peerUID(u); err == nil && (uid == 0 || uid == os.Geteuid()) {
		id = Identity{Kind: Local, Name: "uid " + strconv.Itoa(uid), Role: store.Admin}
	}
	return context.WithValue(ctx, peerKey, &id)
}

// peerOf returns who is at the other end of the local socket; false: the
// request did not come that way.
func peerOf(ctx context.Context) (Identity, bool) {
	if id, ok := ctx.Value(peerKey).(*Identity); ok {
		return *id, true
	}
	return Identity{}, false
}
