package outbound

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// hostOf brings a host into the one form that is checked and used. Names that
// look like numbers are refused: "127.1", "0x7f000001", "017700000001" and
// "2130706433" are 127.0.0.1 to the C library and names to others.
func hostOf(host string) (string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return "", refused("the address has a zone")
		}
		return a.Unmap().String(), nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if !validLabel(l) {
			return "", refused(fmt.Sprintf("%q is no host name", clip(host)))
		}
	}
	if len(host) > 253 || numeric(labels[len(labels)-1]) {
		return "", refused(fmt.Sprintf("%q is neither a name nor an address in its usual form", clip(host)))
	}
	return host, nil
}

func validLabel(l string) bool {
	for _, c := range []byte(l) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return l != "" && len(l) <= 63 && l[0] != '-' && l[len(l)-1] != '-'
}

// numeric reports whether a last label makes some programs read the host as an
// address. No top-level domain is one.
func numeric(label string) bool {
	rest, isHex := strings.CutPrefix(label, "0x")
	if isHex && strings.Trim(rest, "0123456789abcdef") == "" {
		return true
	}
	return strings.Trim(label, "0123456789") == ""
}

func clip(s string) string { return s[:min(len(s), 80)] }

// portOf returns the port of a URL, written the usual way and one that HTTP
// may be spoken on.
func portOf(u *url.URL) (uint16, error) {
	text := u.Port()
	switch {
	case text == "" && strings.HasSuffix(u.Host, ":"):
		return 0, refused("the URL ends where a port should be")
	case text == "" && u.Scheme == "https":
		return 443, nil
	case text == "":
		return 80, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, refused(fmt.Sprintf("%q is no port", clip(text)))
	}
	port := uint16(n)
	if otherProtocol(port) {
		return 0, refused(fmt.Sprintf("port %d belongs to another protocol, which a request could be made to speak", port))
	}
	return port, nil
}

// otherProtocol lists ports of line protocols that would act on parts of an
// HTTP request: mail, files, printers, chats, memory stores.
func otherProtocol(port uint16) bool {
	return slices.Contains([]uint16{
		7, 9, 19, 20, 21, 22, 23, 25, 37, 42, 53, 69, 79, 109, 110, 111, 113, 119, 123, 135, 137, 138, 139, 143, 161, 162,
		179, 389, 427, 445, 465, 512, 513, 514, 515, 540, 548, 554, 587, 636, 873, 989, 990, 992, 993, 995, 2049, 3659, 4045,
		5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080, 11211,
	}, port)
}

// special are the ranges of the IANA special-purpose registries that are not
// globally reachable, or that hold another address inside. Of those that
// matter elsewhere (RFC 6890 and its successors) none is left out.
func special() []string {
	return []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	}
}

// metadata are the addresses under which clouds hand out credentials.
func metadata() []string {
	return []string{
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
		"fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
	}
}

// allowed returns nil for an address that may be connected to, else an error
// that wraps ErrRefused and says which rule is in the way.
func (g *Guard) allowed(a netip.Addr) error {
	if a.Zone() != "" {
		return refused("the address has a zone")
	}
	a = a.Unmap()
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return refused(a.String() + " is nobody's address")
	case slices.Contains(metadata(), a.String()):
		if slices.Contains(g.config.Allow, netip.PrefixFrom(a, a.BitLen())) {
			return nil
		}
		return refused(a.String() + " is a metadata service of a cloud")
	case g.listed(a):
		return g.embedded(a)
	}
	for _, text := range special() {
		if netip.MustParsePrefix(text).Contains(a) {
			return refused(fmt.Sprintf("%s is in %s, which is not public, and no network of admin.allow_instances holds it", a, text))
		}
	}
	return nil
}

func (g *Guard) listed(a netip.Addr) bool {
	return slices.ContainsFunc(g.config.Allow, func(p netip.Prefix) bool {
		if p.Addr().Is4In6() && p.Bits() >= 96 { // the operator wrote ::ffff:10.0.0.0/104
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Contains(a)
	})
}

// embedded looks at the IPv4 address that a listed translation range (NAT64,
// 6to4, IPv4-compatible) carries: listing the range does not list what is
// behind it.
func (g *Guard) embedded(a netip.Addr) error {
	b := a.As16()
	switch {
	case a.Is4():
		return nil
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a) && a != netip.IPv6Loopback():
		return g.allowed(netip.AddrFrom4([4]byte(b[12:16])))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return g.allowed(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return nil
}
