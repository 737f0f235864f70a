package sysfault

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// passMark is on the packets of connections that a redirection spares.
const passMark = 0x48464654

// Bypass is for net.Dialer.Control: connections of such a dialer are not redirected by a [Redirect]. It needs root.
func Bypass(_, _ string, c syscall.RawConn) error {
	var marked error
	if err := c.Control(func(fd uintptr) {
		marked = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, passMark) //nolint:gosec // a file descriptor
	}); err != nil {
		return fmt.Errorf("mark the connection: %w", err)
	}
	if marked != nil {
		return fmt.Errorf("mark the connection: %w", marked)
	}
	return nil
}

func (f Redirect) plan(id string) (undo, error) {
	return planTable(f, undo{Kind: undoTable, Table: id})
}

const (
	natPriority     = -100 // where addresses are translated
	redirRangeKnown = 2    // NF_NAT_RANGE_PROTO_SPECIFIED
)

// inject makes two rules: one for what is about to leave to the port, and one against connections that were there
// before, which no translation touches: they still carry the port when they come in.
func (f Redirect) inject(_ context.Context, u undo) error {
	b := newTable(u.Table)
	b.chain(u.Table, "redirect", "nat", unix.NF_INET_LOCAL_OUT, natPriority)
	b.rule(u.Table, "redirect", slices.Concat(f.matches(unix.NFT_META_OIF), [][]byte{
		expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_1),
			nest(unix.NFTA_IMMEDIATE_DATA, attr(unix.NFTA_DATA_VALUE, networkOrder(f.To)))),
		expression("redir", number(unix.NFTA_REDIR_REG_PROTO_MIN, unix.NFT_REG_1), number(unix.NFTA_REDIR_FLAGS, redirRangeKnown)),
	})...)
	b.chain(u.Table, "in", "filter", unix.NF_INET_LOCAL_IN, 0)
	b.rule(u.Table, "in", append(f.matches(unix.NFT_META_IIF), reject())...)
	return carryOut(f, u, b)
}

func (f Redirect) matches(interfaces uint32) [][]byte {
	return slices.Concat(matchTCP(), matchLoopback(interfaces, unix.NFT_CMP_EQ), matchPort(destinationPort, f.Port), [][]byte{
		loadMeta(unix.NFT_META_MARK), compare(unix.NFT_CMP_NEQ, string(binary.NativeEndian.AppendUint32(nil, passMark))),
	})
}
