package sysfault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// nftables are spoken to directly: the guard must be able to take a table away without any program being installed.

func (f Network) plan(id string) (undo, error) {
	if f.Namespace != "" {
		if _, err := os.Stat(f.Namespace); err != nil {
			return undo{}, fmt.Errorf("inject %s: %w", f, err)
		}
	}
	return planTable(f, undo{Kind: undoTable, Table: id, Namespace: f.Namespace})
}

func planTable(f Fault, u undo) (undo, error) {
	if os.Geteuid() != 0 {
		return undo{}, unsupported(f, "only root may set up nftables")
	}
	return u, nil
}

func (f Network) inject(_ context.Context, u undo) error {
	b := newTable(u.Table)
	for _, c := range []struct {
		name string
		hook uint32
	}{{"in", unix.NF_INET_LOCAL_IN}, {"out", unix.NF_INET_LOCAL_OUT}} {
		b.chain(u.Table, c.name, "filter", c.hook, 0)
		for _, offset := range f.offsets() {
			b.rule(u.Table, c.name, f.expressions(offset, c.hook == unix.NF_INET_LOCAL_OUT)...)
		}
	}
	return carryOut(f, u, b)
}

// newTable begins a batch that makes a table.
func newTable(name string) *batch {
	b := &batch{}
	b.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, attr(unix.NFTA_TABLE_NAME, name+"\x00"))
	return b
}

func (b *batch) chain(table, name, kind string, hook uint32, priority int32) {
	b.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE,
		attr(unix.NFTA_CHAIN_TABLE, table+"\x00"), attr(unix.NFTA_CHAIN_NAME, name+"\x00"),
		nest(unix.NFTA_CHAIN_HOOK, number(unix.NFTA_HOOK_HOOKNUM, hook), number(unix.NFTA_HOOK_PRIORITY, uint32(priority))), //nolint:gosec // its bits
		attr(unix.NFTA_CHAIN_TYPE, kind+"\x00"))
}

func (b *batch) rule(table, chain string, expressions ...[]byte) {
	b.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND,
		attr(unix.NFTA_RULE_TABLE, table+"\x00"), attr(unix.NFTA_RULE_CHAIN, chain+"\x00"),
		nest(unix.NFTA_RULE_EXPRESSIONS, expressions...))
}

// carryOut lets the kernel do a batch, and says what it cannot.
func carryOut(f Fault, u undo, b *batch) error {
	err := within(u.Namespace, b.send)
	for _, reason := range []error{unix.EPERM, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT, unix.ENOENT} {
		if errors.Is(err, reason) {
			return unsupported(f, "the kernel refuses: "+err.Error())
		}
	}
	if err != nil {
		return fmt.Errorf("inject %s: %w", f, err)
	}
	return nil
}

const (
	sourcePort      = 0 // offsets in a TCP header
	destinationPort = 2
)

func (f Network) offsets() []uint32 {
	switch {
	case f.Way == Answers:
		return []uint32{sourcePort}
	case f.Way == Requests, f.Refuse:
		return []uint32{destinationPort}
	}
	return []uint32{destinationPort, sourcePort}
}

const (
	loopback  = 1 // index of the interface lo, in every namespace
	ngRandom  = 1 // NFT_NG_RANDOM
	shareUnit = 10_000
)

// expressions is a rule: what it matches, and what becomes of it. What leaves over loopback is left to the other chain,
// where it comes in, so that a share is not taken twice.
func (f Network) expressions(offset uint32, leaving bool) [][]byte {
	list := matchTCP()
	if leaving {
		list = append(list, matchLoopback(unix.NFT_META_OIF, unix.NFT_CMP_NEQ)...)
	}
	list = append(list, matchPort(offset, f.Port)...)
	if f.Percent != 0 {
		list = append(list, expression("numgen", number(unix.NFTA_NG_DREG, unix.NFT_REG_1), number(unix.NFTA_NG_MODULUS, shareUnit),
			number(unix.NFTA_NG_TYPE, ngRandom)),
			expression("byteorder", number(unix.NFTA_BYTEORDER_SREG, unix.NFT_REG_1), number(unix.NFTA_BYTEORDER_DREG, unix.NFT_REG_1),
				number(unix.NFTA_BYTEORDER_OP, unix.NFT_BYTEORDER_HTON), number(unix.NFTA_BYTEORDER_LEN, 4),
				number(unix.NFTA_BYTEORDER_SIZE, 4)),
			compare(unix.NFT_CMP_LT, string(binary.BigEndian.AppendUint32(nil, uint32(math.Round(f.Percent/100*shareUnit))))))
	}
	if f.Refuse {
		return append(list, reject())
	}
	const drop = 0 // NF_DROP
	return append(list, expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT),
		nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, number(unix.NFTA_VERDICT_CODE, drop)))))
}

// compare looks at the first register, which all expressions here use.
func compare(op uint32, value string) []byte {
	return expression("cmp", number(unix.NFTA_CMP_SREG, unix.NFT_REG_1), number(unix.NFTA_CMP_OP, op),
		nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, value)))
}

func loadMeta(key uint32) []byte {
	return expression("meta", number(unix.NFTA_META_DREG, unix.NFT_REG_1), number(unix.NFTA_META_KEY, key))
}

func matchTCP() [][]byte {
	return [][]byte{loadMeta(unix.NFT_META_L4PROTO), compare(unix.NFT_CMP_EQ, "\x06")}
}

func matchLoopback(interfaces, op uint32) [][]byte {
	return [][]byte{loadMeta(interfaces), compare(op, string(binary.NativeEndian.AppendUint32(nil, loopback)))}
}

func matchPort(offset uint32, port int) [][]byte {
	return [][]byte{
		expression("payload", number(unix.NFTA_PAYLOAD_DREG, unix.NFT_REG_1), number(unix.NFTA_PAYLOAD_BASE, unix.NFT_PAYLOAD_TRANSPORT_HEADER),
			number(unix.NFTA_PAYLOAD_OFFSET, offset), number(unix.NFTA_PAYLOAD_LEN, 2)),
		compare(unix.NFT_CMP_EQ, networkOrder(port)),
	}
}

func networkOrder(port int) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(port))) //nolint:gosec // checked
}

func reject() []byte {
	return expression("reject", number(unix.NFTA_REJECT_TYPE, unix.NFT_REJECT_TCP_RST), attr(unix.NFTA_REJECT_ICMP_CODE, "\x00"))
}

func expression(name string, attrs ...[]byte) []byte {
	return nest(unix.NFTA_LIST_ELEM, attr(unix.NFTA_EXPR_NAME, name+"\x00"), nest(unix.NFTA_EXPR_DATA, attrs...))
}

// dropTable removes a table with all in it; one that is not there, nor its namespace, is as good.
func dropTable(namespace, table string) error {
	var b batch
	b.add(unix.NFT_MSG_DELTABLE, 0, attr(unix.NFTA_TABLE_NAME, table+"\x00"))
	err := within(namespace, b.send)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove nftables table %s: %w", table, err)
	}
	return nil
}

// hasTable says whether a table is there.
func hasTable(namespace, table string) (bool, error) {
	var b batch
	b.message(nftables|unix.NFT_MSG_GETTABLE, unix.NLM_F_ACK, unix.NFPROTO_INET, 0, attr(unix.NFTA_TABLE_NAME, table+"\x00"))
	err := within(namespace, func() error { return b.exchange(1) })
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	return err == nil, err
}

// within calls do on a thread that is in a network namespace. The thread ends with it.
func within(namespace string, do func() error) error {
	if namespace == "" {
		return do()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: nothing else is to run in there
		fd, err := unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}
