package exchange_test

import (
	"net/netip"
	"strings"
	"testing"

	"holdfast/exchange"
)

func TestAnIDIsKeptOnlyIfARecordHoldsItWhole(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"": false, "a": true, "0-_.:+/=Z": true, "a b": false, "a\n": false, "ä": false, "a,b": false, "@": false, "[": false,
		strings.Repeat("x", 63): true, strings.Repeat("x", 64): false,
	} {
		if got := exchange.ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestAForwardedAddressHasManySpellings(t *testing.T) {
	t.Parallel()
	for element, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", "1.2.3.4:80": "1.2.3.4", "::1": "::1", "[::1]": "::1", "[::1]:80": "::1", "::ffff:1.2.3.4": "1.2.3.4",
		"[::ffff:1.2.3.4]": "1.2.3.4", "fe80::1%eth0": "fe80::1", "": "", "unknown": "", "[::1": "", "1.2.3": "", "1.2.3.4:": "", "_a": "",
	} {
		got, ok := exchange.ForwardedAddr(element)
		if ok != (want != "") || ok && got != netip.MustParseAddr(want) {
			t.Errorf("%q: %v, %v", element, got, ok)
		}
	}
}

func TestARedirectWithAStarKeepsThePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ to, path, query, want string }{
		{"https://b/c", "/x", "?y", "https://b/c"},
		{"https://b/c/*", "/x", "?y", "https://b/c/x?y"},
		{"https://b*", "/x", "", "https://b/x"},
		{"/*", "//evil.example/x", "?y", "/evil.example/x?y"},
		{"*", "//evil.example", "", "/evil.example"},
		{"/c/*", "//x", "", "/c//x"},
	} {
		if got := (&exchange.Fallback{Redirect: c.to}).Location(c.path, c.query); got != c.want {
			t.Errorf("%s for %s%s: %s, want %s", c.to, c.path, c.query, got, c.want)
		}
	}
}

func TestSomeContentTypesAreOfAnswersThatLast(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		"": false, "text/plain": false, "text/event-strea": false, "Text/Event-Stream; charset=utf-8": true, "application/grpc+proto": true,
		"application/json": false,
	} {
		if got := exchange.LongAnswer(kind); got != want {
			t.Errorf("%q: %v", kind, got)
		}
	}
}
