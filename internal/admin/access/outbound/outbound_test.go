package outbound_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/internal/admin/access/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is a resolver that knows what it was told.
type answers map[string][]string

func (a answers) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, ok := a[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	out := make([]netip.Addr, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParseAddr(text)
	}
	return out, nil
}

func names() answers {
	return answers{
		"public.example": {"93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"}, "private.example": {"10.1.2.3"},
		"mixed.example": {"93.184.215.14", "127.0.0.1"}, "metadata.example": {"169.254.169.254"}, "localhost": {"127.0.0.1", "::1"},
		"mapped.example": {"::ffff:10.1.2.3"}, "nothing.example": {}, "xn--bcher-kva.example": {"93.184.215.14"},
		// What the C library would make of them; nobody may ask.
		"127.1": {"93.184.215.14"}, "2130706433": {"93.184.215.14"}, "0x7f.1": {"93.184.215.14"},
	}
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

func TestOnlyPublicAddressesAreAllowedByDefault(t *testing.T) {
	t.Parallel()
	g := outbound.New(outbound.Config{Resolver: names()})
	for _, c := range []struct{ url, want string }{
		{"http://93.184.215.14", "http://93.184.215.14"},
		{"http://93.184.215.14:80/base", "http://93.184.215.14/base"},
		{"https://Public.Example:8443/x?y=z", "https://public.example:8443/x?y=z"},
		{"HTTPS://public.example.:443", "https://public.example"},
		{"http://xn--bcher-kva.example:3000", "http://xn--bcher-kva.example:3000"},
		{"http://[2606:2800:21F:CB07:6820:80da:af6b:8b2c]:8080", "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8080"},
		{"http://[::ffff:93.184.215.14]", "http://93.184.215.14"},
		{"http://8.8.8.8", "http://8.8.8.8"},
		{"http://172.32.0.1", "http://172.32.0.1"},
		{"http://100.128.0.1", "http://100.128.0.1"},
	} {
		if got, err := g.Check(t.Context(), c.url); err != nil || got.URL != c.want || len(got.Addresses) == 0 {
			t.Errorf("%s: %+v, %v", c.url, got, err)
		}
	}
	for _, url := range []string{
		// loopback, private, link-local, shared, reserved
		"http://127.0.0.1", "http://127.0.0.1:9001", "http://127.255.255.254", "http://localhost", "http://LOCALHOST.", "http://[::1]",
		"http://10.0.0.1", "http://172.16.0.1", "http://172.31.255.255", "http://192.168.0.1", "http://100.64.0.1", "http://169.254.1.1",
		"http://[fe80::1]", "http://[fc00::1]", "http://[fd12::1]", "http://[fec0::1]", "http://198.18.0.1", "http://192.0.2.1", "http://240.0.0.1",
		"http://0.0.0.0", "http://0.1.2.3", "http://[::]", "http://255.255.255.255", "http://224.0.0.1", "http://[ff02::1]", "http://[2001:db8::1]",
		"http://private.example", "http://metadata.example", "http://mapped.example",
		// metadata services
		"http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]", "http://169.254.170.2", "http://100.100.100.200", "http://168.63.129.16",
		"http://[::ffff:169.254.169.254]", "http://[::ffff:a9fe:a9fe]",
		// one address inside of another
		"http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://[::127.0.0.1]", "http://[64:ff9b::7f00:1]", "http://[64:ff9b::a9fe:a9fe]",
		"http://[2002:7f00:1::]", "http://[2001:0:7f00:1::]", "http://[64:ff9b:1::7f00:1]",
		// other spellings of 127.0.0.1
		"http://127.1", "http://127.0.1", "http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://0X7F.0.0.1", "http://017700000001",
		"http://0177.0.0.1", "http://127.0.0.01", "http://127.0.0.0x1", "http://127.0.0.1.", "http://1.2.3.4.5", "http://256.1.1.1", "http://public.example.1",
		"http://①②⑦.⓪.⓪.①", "http://127。0。0。1", "http://%31%32%37.0.0.1", "http://127.0.0.1%2e", "http://[::1%25lo]", "http://[::1%lo]",
		// more than a place
		"http://user@93.184.215.14", "http://user:pw@public.example", "http://public.example@127.0.0.1", "http://@93.184.215.14",
		"http://93.184.215.14#x", "http://93.184.215.14#", "http://93.184.215.14\\@127.0.0.1", "http://93.184.215.14 ", " http://93.184.215.14",
		"http://93.184.215.14\t", "http://93.184.215.14\n", "http://93.184.215.14\x00",
		// other schemes and no URLs
		"", "93.184.215.14", "//93.184.215.14", "ftp://93.184.215.14", "file:///etc/passwd", "gopher://93.184.215.14", "unix:///run/x", "http:93.184.215.14",
		"http://", "http:///x", "http://?x", "http://a..b", "http://-a.example", "http://a_.-b", "javascript:alert(1)", "http+unix://x",
		// odd ports
		"http://93.184.215.14:", "http://93.184.215.14:0", "http://93.184.215.14:65536", "http://93.184.215.14:080", "http://93.184.215.14:+80",
		"http://93.184.215.14:8a", "http://93.184.215.14:-1", "http://93.184.215.14:22", "http://93.184.215.14:25", "http://93.184.215.14:6379",
		"http://93.184.215.14:11211", "http://93.184.215.14:80:80",
		// some addresses are good, one is not
		"http://mixed.example",
	} {
		if got, err := g.Check(t.Context(), url); !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%q: %+v, %v", url, got, err)
		}
	}
	for _, url := range []string{"http://unknown.example", "http://nothing.example"} {
		if _, err := g.Check(t.Context(), url); err == nil || errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestTheOperatorMayListNetworks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		allow []netip.Prefix
		url   string
		ok    bool
	}{
		{prefixes("10.0.0.0/8"), "http://10.1.2.3:9001", true},
		{prefixes("10.0.0.0/8"), "http://[::ffff:10.1.2.3]", true},
		{prefixes("::ffff:10.0.0.0/104"), "http://10.1.2.3", true},
		{prefixes("10.0.0.0/8"), "http://private.example", true},
		{prefixes("10.0.0.0/8"), "http://192.168.0.1", false},
		{prefixes("127.0.0.0/8"), "http://localhost", false}, // it is ::1 too
		{prefixes("127.0.0.0/8", "::1/128"), "http://localhost:9001", true},
		{prefixes("127.0.0.0/8"), "http://mixed.example", true},
		{prefixes("fd00::/8"), "http://[fd12::1]", true},
		{prefixes("0.0.0.0/0", "::/0"), "http://192.168.0.1", true},
		{prefixes("0.0.0.0/0", "::/0"), "http://169.254.169.254", false},
		{prefixes("0.0.0.0/0", "::/0"), "http://[fd00:ec2::254]", false},
		{prefixes("0.0.0.0/0", "::/0"), "http://0.0.0.0", false},
		{prefixes("0.0.0.0/0", "::/0"), "http://[::]", false},
		{prefixes("0.0.0.0/0", "::/0"), "http://224.0.0.1", false},
		{prefixes("0.0.0.0/0", "::/0"), "http://255.255.255.255", false},
		{prefixes("169.254.169.254/32"), "http://169.254.169.254", true},
		{prefixes("64:ff9b::/96"), "http://[64:ff9b::808:808]", true},
		{prefixes("64:ff9b::/96"), "http://[64:ff9b::7f00:1]", false},
		{prefixes("64:ff9b::/96"), "http://[64:ff9b::a9fe:a9fe]", false},
		{prefixes("2002::/16"), "http://[2002:a00:1::]", false},
	} {
		_, err := outbound.New(outbound.Config{Allow: c.allow, Resolver: names()}).Check(t.Context(), c.url)
		if (err == nil) != c.ok {
			t.Errorf("%v, %s: %v", c.allow, c.url, err)
		}
	}
}

func TestRefusalsSayWhyAndHoldNoPassword(t *testing.T) {
	t.Parallel()
	g := outbound.New(outbound.Config{Resolver: names()})
	for url, want := range map[string]string{
		"http://10.1.2.3":                    "10.0.0.0/8",
		"http://private.example":             "private.example leads to",
		"http://169.254.169.254":             "metadata",
		"http://u:hunter2@public.example":    "user name or password",
		"http://u:hunter2@public.example:x/": "cannot be read",
		"http://public.example:25":           "port 25",
		"http://2130706433":                  "usual form",
	} {
		_, err := g.Check(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// changing answers well once and badly ever after: DNS rebinding.
type changing struct {
	asked atomic.Int64
	first netip.Addr
}

func (c *changing) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if c.asked.Add(1) == 1 {
		return []netip.Addr{c.first}, nil
	}
	return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
}

func TestWhatWasCheckedIsWhatIsConnectedTo(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }))
	defer s.Close()
	address := netip.MustParseAddrPort(s.Listener.Addr().String())
	r := &changing{first: address.Addr()}
	g := outbound.New(outbound.Config{Allow: prefixes("127.0.0.0/8"), Resolver: r})
	url := "http://rebinding.example:" + strings.TrimPrefix(address.String(), address.Addr().String()+":")
	target, err := g.Check(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	get := func(dial func(context.Context, string, string) (net.Conn, error), url string) (string, error) {
		tr := &http.Transport{DialContext: dial}
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := tr.RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		return string(b), err
	}
	for range 3 {
		if body, err := get(target.Dial, url); err != nil || body != "here" {
			t.Errorf("pinned: %q, %v", body, err)
		}
	}
	if n := r.asked.Load(); n != 1 {
		t.Errorf("%d lookups", n)
	}
	if body, err := get(target.Dial, s.URL); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("a pinned connection led elsewhere: %q, %v", body, err)
	}
	if body, err := get(g.Dial, url); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("a second lookup was trusted: %q, %v", body, err)
	}
	if body, err := get(outbound.New(outbound.Config{Allow: prefixes("127.0.0.0/8"), Resolver: &changing{first: address.Addr()}}).Dial, url); err != nil || body != "here" {
		t.Errorf("a checked dial: %q, %v", body, err)
	}
}

func TestTheSocketIsCheckedOnceMore(t *testing.T) {
	t.Parallel()
	g := outbound.New(outbound.Config{})
	for _, c := range []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "93.184.215.14:80", true},
		{"tcp4", "127.0.0.1:80", false},
		{"tcp6", "[::1]:80", false},
		{"tcp6", "[fe80::1%eth0]:80", false},
		{"tcp", "localhost:80", false},
		{"udp4", "93.184.215.14:80", false},
		{"unix", "/run/x", false},
	} {
		if err := g.Control(c.network, c.address, nil); (err == nil) != c.ok || err != nil && !errors.Is(err, outbound.ErrRefused) {
			t.Errorf("%s %s: %v", c.network, c.address, err)
		}
	}
}

func TestASecondAddressIsTriedAndAllFailuresAreTold(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	g := outbound.New(outbound.Config{Allow: prefixes("127.0.0.0/8"), Resolver: answers{"a.example": {"127.0.0.2", "127.0.0.1"}, "b.example": {"127.0.0.2", "127.0.0.3"}}})
	c, err := g.Dial(t.Context(), "tcp", "a.example:"+port)
	if err != nil {
		t.Fatalf("%v", err)
	}
	c.Close()
	if _, err := g.Dial(t.Context(), "tcp", "b.example:"+port); err == nil || !strings.Contains(err.Error(), "127.0.0.2") || !strings.Contains(err.Error(), "127.0.0.3") {
		t.Errorf("%v", err)
	}
	for _, address := range []string{"a.example", "127.1:" + port, "unknown.example:" + port} {
		if _, err := g.Dial(t.Context(), "tcp", address); err == nil {
			t.Errorf("%s was dialed", address)
		}
	}
	if _, err := (outbound.Target{}).Dial(t.Context(), "tcp", "127.0.0.1:80"); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("the zero target: %v", err)
	}
}

type sleepy struct{}

func (sleepy) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestALookupDoesNotTakeForEver(t *testing.T) {
	t.Parallel()
	g := outbound.New(outbound.Config{Resolver: sleepy{}, Timeout: time.Millisecond})
	if _, err := g.Check(t.Context(), "http://slow.example"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// FuzzCheck knows no names, so that what passes is an address; the standard
// library's own words are the second opinion.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"http://93.184.215.14", "http://[::ffff:127.0.0.1]", "http://127.1", "http://0x7f.1", "http://a@b", "https://[64:ff9b::1]:443/x?y",
		"http://8.8.8.8:080", "http://8.8.8.8:", "http://[fe80::1%25x]", "http://8.8.8.8./", "http://8.8.8.8\\@1.1.1.1",
	} {
		f.Add(s)
	}
	g := outbound.New(outbound.Config{Resolver: answers{}})
	f.Fuzz(func(t *testing.T, url string) {
		got, err := g.Check(t.Context(), url)
		if err != nil {
			return
		}
		for _, a := range got.Addresses {
			if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.Is4In6() || a.Zone() != "" || !a.IsGlobalUnicast() {
				t.Errorf("%q leads to %v", url, a)
			}
			if a.String() != got.Host {
				t.Errorf("%q: %v is not %s", url, a, got.Host)
			}
		}
		again, err := g.Check(t.Context(), got.URL)
		if err != nil || again.URL != got.URL || again.Host != got.Host || again.Port != got.Port {
			t.Errorf("%q is %q, which is %+v, %v", url, got.URL, again, err)
		}
	})
}
