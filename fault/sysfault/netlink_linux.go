package sysfault

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// batch is messages to nftables that the kernel carries out all or none.
type batch struct {
	bytes []byte
	count uint32
}

// attr is one attribute: length and kind in the machine's order, the value, and zeros up to a multiple of four.
func attr(kind uint16, value string) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.NLA_HDRLEN+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(b)&3)...)
}

// number is an attribute that nftables wants in the network's order.
func number(kind uint16, value uint32) []byte {
	return attr(kind, string(binary.BigEndian.AppendUint32(nil, value)))
}

// nest is an attribute made of others.
func nest(kind uint16, attrs ...[]byte) []byte {
	var b []byte
	for _, a := range attrs {
		b = append(b, a...)
	}
	return attr(kind|unix.NLA_F_NESTED, string(b))
}

const nftables = unix.NFNL_SUBSYS_NFTABLES << 8

// add appends a message about the address family inet, which is IPv4 and IPv6.
func (b *batch) add(kind, flags uint16, attrs ...[]byte) {
	if b.count == 0 {
		b.message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	}
	b.message(nftables|kind, flags|unix.NLM_F_ACK, unix.NFPROTO_INET, 0, attrs...)
}

func (b *batch) message(kind, flags uint16, family uint8, resource uint16, attrs ...[]byte) {
	start := len(b.bytes)
	b.count++
	b.bytes = binary.NativeEndian.AppendUint32(b.bytes, 0) // length, below
	b.bytes = binary.NativeEndian.AppendUint16(b.bytes, kind)
	b.bytes = binary.NativeEndian.AppendUint16(b.bytes, flags|unix.NLM_F_REQUEST)
	b.bytes = binary.NativeEndian.AppendUint32(b.bytes, b.count)
	b.bytes = binary.NativeEndian.AppendUint32(b.bytes, 0) // port: the kernel's
	b.bytes = append(b.bytes, family, unix.NFNETLINK_V0)
	b.bytes = binary.BigEndian.AppendUint16(b.bytes, resource)
	for _, a := range attrs {
		b.bytes = append(b.bytes, a...)
	}
	binary.NativeEndian.PutUint32(b.bytes[start:], uint32(len(b.bytes)-start))
}

// send sends the batch and waits until the kernel has said how each message went.
func (b *batch) send() error {
	wanted := int(b.count) - 1 // answers: none about the begin
	b.message(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES)
	return b.exchange(wanted)
}

// exchange sends what there is and waits until the kernel has said of so many messages how they went.
func (b *batch) exchange(wanted int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}); err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	if err := unix.Sendto(fd, b.bytes, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("reach nftables: %w", err)
	}
	for buf := make([]byte, 64<<10); wanted > 0; {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("wait for nftables: %w", err)
		}
		answers, err := readAnswers(buf[:n])
		if err != nil {
			return err
		}
		wanted -= answers
	}
	return nil
}

var errAnswer = errors.New("nftables gave an answer that cannot be understood")

// readAnswers counts messages that went well; the first that did not is the error. What was asked for is passed over: that
// it went well says enough.
func readAnswers(b []byte) (n int, err error) {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr+4 {
			return n, errAnswer
		}
		length := int(binary.NativeEndian.Uint32(b))
		kind := binary.NativeEndian.Uint16(b[4:])
		switch {
		case length < unix.SizeofNlMsghdr+4 || length > len(b):
			return n, errAnswer
		case kind == nftables|unix.NFT_MSG_NEWTABLE:
			b = b[min(len(b), (length+3)&^3):]
			continue
		case kind != unix.NLMSG_ERROR:
			return n, errAnswer
		}
		if code := int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])); code != 0 {
			return n, fmt.Errorf("nftables: %w", unix.Errno(-code))
		}
		n++
		b = b[min(len(b), (length+3)&^3):]
	}
	return n, nil
}
