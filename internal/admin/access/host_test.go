package access_test

import (
	"net/netip"
	"testing"

	"holdfast/internal/admin/access"
)

func TestOnlyOurOwnNamesAreAnsweredTo(t *testing.T) {
	t.Parallel()
	loopback, own := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.5")
	for _, c := range []struct {
		host                  string
		onLoopback, onNetwork bool
	}{
		{"localhost", true, true},
		{"LOCALHOST:8081", true, true},
		{"localhost.:8081", true, true},
		{"127.0.0.1:8081", true, true},
		{"127.0.0.53", true, true},
		{"[::1]:8081", true, true},
		{"::1", true, true},
		{"[::ffff:127.0.0.1]", true, true},
		{"holdfast.example:8081", true, true},
		{"Holdfast.Example.", true, true},
		{"10.0.0.5:8081", false, true},
		{"192.168.1.9", false, true}, // a port may be forwarded from there
		{"0.0.0.0:8081", false, false},
		{"[::]:8081", false, false},
		{"evil.example", false, false},
		{"localhost.evil.example", false, false},
		{"evil.example:localhost", false, false},
		{"localhost:8081@evil.example", false, false},
		{"127.0.0.1.evil.example", false, false},
		{"127.1", false, false},
		{"0x7f.0.0.1", false, false},
		{"2130706433", false, false},
		{"", false, false},
		{":8081", false, false},
		{"localhost:", false, false},
		{"localhost:0", false, false},
		{"localhost:65536", false, false},
		{"localhost:80a", false, false},
		{"local host", false, false},
		{"localhost/", false, false},
		{"localhost\x00", false, false},
		{"[::1", false, false},
		{"[::1]x", false, false},
		{"[localhost]", false, false},
		{"[fe80::1%25eth0]", false, false},
		{"fe80::1%eth0", false, false},
	} {
		names := []string{"holdfast.example"}
		if got := access.HostAllowed(names, c.host, loopback); got != c.onLoopback {
			t.Errorf("%q on loopback: %v", c.host, got)
		}
		if got := access.HostAllowed(names, c.host, own); got != c.onNetwork {
			t.Errorf("%q on the network: %v", c.host, got)
		}
		if access.HostAllowed(names, c.host, netip.Addr{}) != c.onLoopback {
			t.Errorf("%q on an unknown listener is not as strict as on loopback", c.host)
		}
	}
}
