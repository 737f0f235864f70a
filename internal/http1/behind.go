package http1

import (
	"bytes"
	"net/netip"
	"slices"

	"holdfast/exchange"
)

// clientBehind walks X-Forwarded-For from the right, over the proxies that are
// trusted, to the first that is not: the client. What stands left of it is the
// client's own word.
func (r *Request) clientBehind(peer netip.Addr, trusts func(netip.Addr) bool) netip.Addr {
	client := peer
	for _, f := range slices.Backward(r.fields) {
		if f.kind != kindXForwardedFor {
			continue
		}
		for list := f.value.of(r.buf); len(list) > 0; {
			cut := bytes.LastIndexByte(list, ',')
			addr, ok := exchange.ForwardedAddr(lent(trim(list[cut+1:])))
			if !ok {
				return client
			}
			if client = addr; !trusts(addr) {
				return client
			}
			list = list[:max(cut, 0)]
		}
	}
	return client
}

// protoBehind returns what the first trusted proxy says the client used.
func (r *Request) protoBehind(own string) string {
	v, _ := r.value(kindXForwardedProto)
	switch first, _ := cutList(v); {
	case equalFold(first, "http"):
		return "http"
	case equalFold(first, "https"):
		return "https"
	}
	return own
}
