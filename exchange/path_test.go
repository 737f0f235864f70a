package exchange_test

import (
	"errors"
	"strings"
	"testing"

	"holdfast/exchange"
)

func TestCleanPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/":                             "/",
		"/a/b":                          "/a/b",
		"/a//b/":                        "/a//b/",
		"//":                            "//",
		"/%61%2D%2e%5F%7E%30%5a":        "/a-._~0Z",
		"/a%2fb%2Fc":                    "/a%2fb%2Fc",
		"/a%3bb;c=d":                    "/a%3bb;c=d",
		"/%C3%BC":                       "/%C3%BC",
		"/%c3%bc":                       "/%c3%bc",
		"/\xc3\xbc":                     "/%C3%BC",
		"/caf\xe9":                      "/caf%E9",
		"/%252e%252e/":                  "/%252e%252e/",
		"/%25":                          "/%25",
		"/a b":                          "",
		"/a%20b":                        "/a%20b",
		"/%0d%0a":                       "/%0d%0a",
		"/!$&'()*+,;=:@\"<>[]^`{|}":     "/!$&'()*+,;=:@\"<>[]^`{|}",
		"/.well-known/acme":             "/.well-known/acme",
		"/.git":                         "/.git",
		"/a..b":                         "/a..b",
		"/a../b":                        "/a../b",
		"/..a/b":                        "/..a/b",
		"/a./b":                         "/a./b",
		"/...":                          "/...",
		"/.../x":                        "/.../x",
		"/....//....//":                 "/....//....//",
		"/.%2e%2e/x":                    "/.../x",
		"/a%2f..b":                      "/a%2f..b",
		"/a..%2fb":                      "/a..%2fb",
		"/a;..":                         "/a;..",
		"/a;/b":                         "/a;/b",
		"/;..":                          "/;..",
		"/..a;b":                        "/..a;b",
		"/~user/":                       "/~user/",
		"/*":                            "/*",
		"/%c3%80%ae":                    "/%c3%80%ae",
		"/%e2%80%ae":                    "/%e2%80%ae",
		"/" + strings.Repeat("a", 9000): "/" + strings.Repeat("a", 9000),
		// Dot segments, however they are written.
		"/.":                 "",
		"/./":                "",
		"/..":                "",
		"/../":               "",
		"/a/..":              "",
		"/a/.":               "",
		"/a/../b":            "",
		"/a/./b":             "",
		"//../":              "",
		"//..//":             "",
		"/%2e":               "",
		"/%2E/":              "",
		"/%2e%2e":            "",
		"/%2e%2e/":           "",
		"/%2e./":             "",
		"/.%2E/":             "",
		"/a/%2e%2e/b":        "",
		"/..;/":              "",
		"/..;a=b/c":          "",
		"/.;/":               "",
		"/%2e%2e;/":          "",
		"/..%3b/":            "",
		"/..%3B":             "",
		"/..%2f":             "",
		"/..%2Fetc":          "",
		"/%2e%2e%2fetc":      "",
		"/a%2f..":            "",
		"/a%2F..%2Fb":        "",
		"/a%2f../b":          "",
		"/a%2f.%2fb":         "",
		"/a%2f..;x":          "",
		"/%2f..":             "",
		"/%2f%2f..%2f":       "",
		"/a/..%2f..%2f..%2f": "",
		// What programs read differently.
		"/a\\..\\b":          "",
		"/a\\b":              "",
		"/a%5cb":             "",
		"/..%5c":             "",
		"/%00":               "",
		"/a%00.html":         "",
		"/\x00":              "",
		"/a\nb":              "",
		"/a\tb":              "",
		"/\x7f":              "",
		"/a?b":               "",
		"/a#b":               "",
		"/%":                 "",
		"/%2":                "",
		"/%zz":               "",
		"/%%32e":             "",
		"/%u002e":            "",
		"/%c0%ae%c0%ae/":     "",
		"/..%c0%af":          "",
		"/\xc0\xae\xc0\xae/": "",
		"/%c1%9c":            "",
		"/%e0%80%ae":         "",
		"/%e0%81%ae":         "",
		"/%f0%80%80%ae":      "",
		"":                   "",
		"a":                  "",
		"*":                  "",
		"http://a/":          "",
		"%2f":                "",
	} {
		got, err := exchange.CleanPath(in)
		if want == "" {
			if got != "" || !errors.Is(err, exchange.ErrPath) || !strings.HasPrefix(err.Error(), "path ") {
				t.Errorf("%q: %q, %v; want it refused", in, got, err)
			}
			continue
		}
		if got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestACleanPathCostsNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of the process
	if n := testing.AllocsPerRun(100, func() {
		if _, err := exchange.CleanPath("/api/public/users/12345/orders.json"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// unreserve decodes escaped unreserved characters, written apart from the code
// under test.
func unreserve(p string) string {
	const keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	for _, c := range keep {
		const hex = "0123456789abcdef"
		for _, form := range []string{
			string([]byte{'%', hex[c>>4], hex[c&15]}), strings.ToUpper(string([]byte{'%', hex[c>>4], hex[c&15]})),
		} {
			p = strings.ReplaceAll(p, form, string(c))
		}
	}
	return p
}

func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a/../b", "/%2e%2e/", "/%252e%252e/", "/..;/", "/..%2f", "/%c0%ae", "/a..b", "/...", "/%2E.;x", "/a%2f..%2fb", "/\xff", "/%25%32%65",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		clean, err := exchange.CleanPath(p)
		if err != nil {
			if clean != "" || !errors.Is(err, exchange.ErrPath) {
				t.Fatalf("%q: %q with %v", p, clean, err)
			}
			return
		}
		if again, err := exchange.CleanPath(clean); err != nil || again != clean {
			t.Errorf("%q becomes %q and then %q, %v", p, clean, again, err)
		}
		once := unreserve(clean)
		for _, read := range []string{clean, once, unreserve(once), strings.NewReplacer("%2f", "/", "%2F", "/", "%3b", ";", "%3B", ";").Replace(clean)} {
			for seg := range strings.SplitSeq(read, "/") {
				if seg, _, _ = strings.Cut(seg, ";"); seg == "." || seg == ".." {
					t.Errorf("%q is accepted as %q, which may be read as %q", p, clean, read)
				}
			}
		}
		if strings.ContainsFunc(clean, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || clean[0] != '/' || strings.ContainsAny(clean, "\\?#") {
			t.Errorf("%q is accepted as %q", p, clean)
		}
	})
}
