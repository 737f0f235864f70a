package access_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

const sample = "hf_0123456789ab_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func FuzzToken(f *testing.F) {
	boot, secret := store.NewToken("x", store.Admin, time.Time{}, time.Now())
	tokens := access.NewTokens(access.TokensConfig{Bootstrap: boot})
	for _, s := range []string{"", "hf_", "hf_a_b", sample, sample + "0", strings.ToUpper(sample), "hf_0123456789a\x00_", secret[:40]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := tokens.Verify(t.Context(), text, time.Now()); (err == nil) != (text == secret) {
			t.Errorf("%q: %v", text, err)
		}
		if access.ValidSecret(text) && (len(text) != len(sample) || strings.Trim(text[3:], "0123456789abcdef_") != "") {
			t.Errorf("%q has the form of a token", text)
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "Bearer " + sample, "bearer  " + sample + " ", "Basic YTpi", "Bearer", "Bearer\t" + sample, sample} {
		f.Add(s, "")
	}
	f.Add("Bearer "+sample, "Bearer "+sample)
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{"Authorization": {first}}
		if second != "" {
			h.Add("Authorization", second)
		}
		secret, sent := access.BearerOf(h)
		if !sent {
			t.Error("a header that is there was not seen")
		}
		if secret != "" && (second != "" || !access.ValidSecret(secret) || !strings.HasSuffix(strings.TrimRight(first, " "), " "+secret)) {
			t.Errorf("%q, %q gave %q", first, second, secret)
		}
	})
}

func FuzzCookie(f *testing.F) {
	value := "hfs_" + strings.Repeat("0a", 32)
	for _, s := range []string{"", "holdfast=" + value, "holdfast=" + value + "; holdfast=" + value, "a=b; holdfast=\"" + value + "\"", "holdfast", "holdfast=hfs_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {header}}}
		got, ok := access.CookieOf(r, "holdfast")
		if ok && (len(got) != len(value) || !strings.HasPrefix(got, "hfs_") || !strings.Contains(header, got) || len(r.CookiesNamed("holdfast")) != 1) {
			t.Errorf("%q gave %q", header, got)
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost:1", "[::1]:1", "127.0.0.1", "evil.example", "a:b:c", "[", "]", ".", "localhost..", "[::ffff:1.2.3.4]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, ok := access.HostName(host)
		if again, still := access.HostName(name); ok && !strings.HasSuffix(name, ".") && (!still || again != name) {
			t.Errorf("%q is %q, which is %q, %v", host, name, again, still)
		}
		if !access.HostAllowed(nil, host, netip.MustParseAddr("127.0.0.1")) {
			return
		}
		if a, err := netip.ParseAddr(name); name != "localhost" && (err != nil || !a.Unmap().IsLoopback()) {
			t.Errorf("%q is answered to on loopback", host)
		}
	})
}

func FuzzMask(f *testing.F) {
	f.Add("a", "b")
	f.Add("Authorization: Bearer ", "\n")
	f.Add("http://user:", "@host/")
	f.Add("hf_", "_hf_")
	f.Fuzz(func(t *testing.T, before, after string) {
		digits := sample[len(sample)-64:]
		if strings.Contains(before+after, digits[:8]) {
			t.Skip()
		}
		if got := access.Mask(before + sample + after); strings.Contains(got, digits) {
			t.Errorf("%q", got)
		}
	})
}
