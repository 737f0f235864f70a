package access_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

func TestEachRoleMayWhatItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for _, c := range []struct {
			role                        store.Role
			alive, read, action, change int
		}{
			{"", 200, 401, 401, 401},
			{store.Viewer, 200, 200, 403, 403},
			{store.Operator, 200, 200, 200, 403},
			{store.Admin, 200, 200, 200, 200},
		} {
			var auth []string
			if c.role != "" {
				auth = []string{bearerOf(b.secrets[c.role])}
			}
			for target, want := range map[string]int{"/healthz": c.alive, "/read": c.read, "/act": c.action, "/change": c.change} {
				if w := b.ask("GET", target, "", auth...); w.Code != want {
					t.Errorf("%q at %s: %d %s, want %d", c.role, target, w.Code, w.Body, want)
				}
			}
		}
	})
}

func TestUnknownRolesMayNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, need store.Role
		want       bool
	}{
		{"", "", true},
		{"", store.Viewer, false},
		{store.Admin, store.Viewer, true},
		{store.Viewer, store.Viewer, true},
		{"root", store.Viewer, false},
		{store.Admin, "root", false},
		{"root", "root", false},
	} {
		if got := access.Allows(c.have, c.need); got != c.want {
			t.Errorf("Allows(%q, %q) = %v", c.have, c.need, got)
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for name, c := range map[string]struct {
			w    *httptest.ResponseRecorder
			code int
			text string
		}{
			"nobody":       {b.ask("GET", "/read", ""), 401, "admin-token"},
			"lesser role":  {b.ask("GET", "/change", "", bearerOf(b.secrets[store.Viewer])), 403, "--role admin"},
			"wrong token":  {b.ask("GET", "/healthz", "", bearerOf("hf_000000000000_"+strings.Repeat("0", 64))), 401, "token create"},
			"basic":        {b.ask("GET", "/read", "", "Authorization: Basic YTpi"), 401, "token"},
			"two headers":  {b.ask("GET", "/read", "", bearerOf(b.secrets[store.Admin]), bearerOf(b.secrets[store.Admin])), 401, "token"},
			"foreign host": {b.ask("GET", "/healthz", "", "Host: evil.example"), 421, "admin.hosts"},
		} {
			var body struct{ Error, Hint string }
			if err := json.Unmarshal(c.w.Body.Bytes(), &body); err != nil || c.w.Code != c.code || !strings.Contains(body.Error+body.Hint, c.text) {
				t.Errorf("%s: %d %s, %v", name, c.w.Code, c.w.Body, err)
			}
			if (c.code == 401) != (c.w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("%s: WWW-Authenticate %q", name, c.w.Header().Get("WWW-Authenticate"))
			}
		}
	})
}

func TestEveryAnswerHasTheStrictHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for _, w := range []*httptest.ResponseRecorder{
			b.ask("GET", "/healthz", ""), b.ask("GET", "/read", ""), b.ask("GET", "/nothing", ""), b.ask("GET", "/healthz", "", "Host: evil.example"),
		} {
			for name, want := range map[string]string{
				"Content-Security-Policy": access.PolicyAPI, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
				"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%d: %s: %q, want %q", w.Code, name, got, want)
				}
			}
		}
	})
}

func TestOnlyNamesOnTLSAreToldToStayOnTLS(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, off := range []bool{false, true} {
			b := newBench(t, func(c *access.Config) { c.NoHSTS = off })
			for host, want := range map[string]bool{"https://holdfast.example/healthz": !off, "https://localhost/healthz": false, "https://127.0.0.1/healthz": false} {
				w := httptest.NewRecorder()
				b.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, host, nil))
				if got := w.Header().Get("Strict-Transport-Security") != ""; got != want || w.Code != 200 {
					t.Errorf("%s, off %v: %d, %v", host, off, w.Code, got)
				}
			}
		}
	})
}

func TestATooLongBodyIsRefusedBeforeAndWhileReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) { c.Limits.Body = 100 })
		if w := b.ask("POST", "/change", strings.Repeat("x", 101), bearerOf(b.secrets[store.Admin])); w.Code != 413 {
			t.Errorf("announced: %d", w.Code)
		}
		var read error
		h := b.guard.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, read = r.Body.Read(make([]byte, 1000))
			if read == nil {
				_, read = r.Body.Read(make([]byte, 1000))
			}
		}))
		r := httptest.NewRequest(http.MethodPost, "http://localhost/change", strings.NewReader(strings.Repeat("x", 101)))
		r.ContentLength = -1
		h.ServeHTTP(httptest.NewRecorder(), r)
		if read == nil || !strings.Contains(read.Error(), "too large") {
			t.Errorf("chunked: %v", read)
		}
	})
}

func TestAnAddressHasItsRateOnEveryPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) { c.Limits.Address = access.Rate{PerSecond: 10, Burst: 20} })
		served := func(remote string) (n int) {
			for range 100 {
				if w := b.ask("GET", "/healthz", "", "Remote: "+remote); w.Code == 200 {
					n++
				} else if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
					t.Fatalf("%d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
				}
			}
			return n
		}
		for _, c := range []struct {
			remote string
			want   int
		}{
			{"192.0.2.7:1", 20},
			{"192.0.2.7:2", 0},          // the port does not matter
			{"[::ffff:192.0.2.7]:3", 0}, // nor the spelling
			{"192.0.2.8:1", 20},         // another one
			{"[2001:db8::1]:1", 20},     //
			{"[2001:db8::ffff:2]:1", 0}, // the same /64
			{"[2001:db8:0:1::1]:1", 20}, // another /64
			{"[fe80::1%eth0]:1", 20},    //
			{"[fe80::1%eth1]:1", 0},     // zones are no way around
			{"not an address", 20},      // all such share one bucket
			{"neither is this one", 0},  //
		} {
			if n := served(c.remote); n != c.want {
				t.Errorf("%s: %d served, want %d", c.remote, n, c.want)
			}
		}
		time.Sleep(time.Second)
		if n := served("192.0.2.7:9"); n != 10 {
			t.Errorf("a second later: %d", n)
		}
	})
}

func TestATokenHasItsRateFromAllAddressesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) { c.Limits.Identity = access.Rate{PerSecond: 1, Burst: 50} })
		n := 0
		for i := range 100 {
			if w := b.ask("GET", "/read", "", bearerOf(b.secrets[store.Viewer]), fmt.Sprintf("Remote: 192.0.2.%d:1", i)); w.Code == 200 {
				n++
			}
		}
		if n != 50 {
			t.Errorf("%d served", n)
		}
		if w := b.ask("GET", "/read", "", bearerOf(b.secrets[store.Admin])); w.Code != 200 {
			t.Errorf("another token: %d", w.Code)
		}
	})
}

func TestWrongTokensAreLookedAtLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		wrong := bearerOf("hf_000000000000_" + strings.Repeat("0", 64))
		looked, begun := 0, time.Now()
		for time.Since(begun) < 10*time.Minute {
			if w := b.ask("GET", "/read", "", wrong); w.Code == 401 {
				looked++
			} else if w.Code != 429 || w.Header().Get("Retry-After") == "" {
				t.Fatalf("%d", w.Code)
			}
			time.Sleep(time.Second)
		}
		// 5 free ones, then after 1, 2, 4 ... 256 s, then after 5 min.
		if looked < 13 || looked > 16 {
			t.Errorf("%d looked at in ten minutes", looked)
		}
		if w := b.ask("GET", "/read", "", wrong); w.Code != 429 {
			t.Errorf("%d", w.Code)
		}
		// Who shares the address is not locked out by it.
		if w := b.ask("GET", "/read", "", bearerOf(b.secrets[store.Viewer])); w.Code != 200 {
			t.Errorf("a good token from there: %d", w.Code)
		}
		if lines := strings.Count(b.logs.String(), "token refused"); lines != looked {
			t.Errorf("%d lines in the log for %d looked at", lines, looked)
		}
	})
}

func TestLoginsWaitLikewiseAndAreInnocentAgainLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		login := func(secret string) int {
			return b.ask("POST", "/login", `{"token":"`+secret+`"}`, "Content-Type: application/json").Code
		}
		for i := range 6 {
			if code := login("hf_nonsense"); code != 401 {
				t.Fatalf("attempt %d: %d", i, code)
			}
		}
		if code := login(b.secrets[store.Admin]); code != 429 {
			t.Errorf("during the wait: %d", code)
		}
		time.Sleep(time.Second)
		if code := login("hf_nonsense"); code != 401 { // 2 s from now on
			t.Errorf("after the wait: %d", code)
		}
		time.Sleep(time.Second)
		if code := login(b.secrets[store.Admin]); code != 429 {
			t.Errorf("the wait did not grow: %d", code)
		}
		time.Sleep(16 * time.Minute)
		for i := range 5 {
			if code := login("hf_nonsense"); code != 401 {
				t.Errorf("attempt %d, much later: %d", i, code)
			}
		}
		if code := login(b.secrets[store.Admin]); code != 200 {
			t.Errorf("good login: %d", code)
		}
	})
}

func TestStrangersCannotMakeTheGuardGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) {
			c.Limits.Tracked = 100
			c.Sessions.Limit, c.Sessions.PerToken = 50, 1000
			c.Limits.Identity = access.Rate{PerSecond: 1e6, Burst: 1e6}
		})
		for i := range 1000 {
			stranger := fmt.Sprintf("Remote: 10.0.%d.%d:1", i/250, i%250)
			b.ask("GET", "/read", "", stranger, bearerOf(fmt.Sprintf("hf_%012x_%064x", i, i)))
			b.login(t, store.Viewer, fmt.Sprintf("Remote: 10.1.%d.%d:1", i/250, i%250))
		}
		if n := b.guard.Remembered(); n != [4]int{100, 0, 100, 50} {
			t.Errorf("remembered: %v", n)
		}
	})
}

func TestStreamsAreCountedPerIdentityAndInAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) { c.Limits.Streams, c.Limits.Total = 2, 3 })
		as := func(id string) context.Context {
			return access.NewContext(t.Context(), access.Identity{Kind: access.Bearer, TokenID: id})
		}
		var leave []func()
		for _, c := range []struct {
			id string
			ok bool
		}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", false}} {
			l, err := b.guard.Stream(as(c.id))
			if (err == nil) != c.ok {
				t.Errorf("%s: %v", c.id, err)
			}
			if err == nil {
				leave = append(leave, l)
			} else if e := access.AsError(err); e.Status != 429 || e.RetryAfter <= 0 {
				t.Errorf("%+v", e)
			}
		}
		for _, l := range leave {
			l()
		}
		if l, err := b.guard.Stream(as("c")); err != nil {
			t.Errorf("after all left: %v", err)
		} else {
			l()
		}
	})
}

func TestAStreamLearnsThatItsTokenWasRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		var byToken, bySession access.Identity
		seen := func(id *access.Identity) http.Handler {
			return b.guard.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { *id = access.FromContext(r.Context()) }))
		}
		cookie := b.login(t, store.Viewer)
		b.handler = seen(&byToken)
		b.ask("GET", "/", "", bearerOf(b.secrets[store.Viewer]))
		b.handler = seen(&bySession)
		b.ask("GET", "/", "", cookie)
		if byToken.Kind != access.Bearer || bySession.Kind != access.Session {
			t.Fatalf("%+v %+v", byToken, bySession)
		}
		for _, id := range []access.Identity{byToken, bySession, {}, {Kind: access.Local}} {
			if err := b.guard.Still(id, time.Now()); err != nil {
				t.Errorf("%v: %v", id.Kind, err)
			}
		}
		if err := b.tokens.Revoke(t.Context(), b.ids[store.Viewer], store.Actor{}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []access.Identity{byToken, bySession} {
			if err := b.guard.Still(id, time.Now()); err == nil || access.AsError(err).Status != 401 {
				t.Errorf("%v, revoked: %v", id.Kind, err)
			}
		}
		if err := b.guard.Still(bySession, time.Now().Add(13*time.Hour)); err == nil {
			t.Error("the session never ends")
		}
	})
}

func TestWithTheStoreDownKnownTokensWorkAndUnknownOnesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.store.setDown(true)
		time.Sleep(time.Hour)
		if w := b.ask("GET", "/read", "", bearerOf(b.secrets[store.Viewer])); w.Code != 200 {
			t.Errorf("known: %d", w.Code)
		}
		cookie := b.login(t, store.Viewer)
		time.Sleep(24 * time.Hour)
		w := b.ask("GET", "/read", "", bearerOf(b.secrets[store.Viewer]))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "admin-token") {
			t.Errorf("a day later: %d %s", w.Code, w.Body)
		}
		if w := b.ask("GET", "/read", "", cookie); w.Code != 401 { // ended by its lifetime
			t.Errorf("session, a day later: %d", w.Code)
		}
	})
}

func TestNewNamesTheWrongField(t *testing.T) {
	t.Parallel()
	if _, err := access.New(access.Config{}); err == nil || !strings.Contains(err.Error(), "Tokens") {
		t.Error(err)
	}
	for _, host := range []string{"*", "*.example", "a b", "", "http://x", "x:0", "x/y"} {
		_, err := access.New(access.Config{Tokens: access.NewTokens(access.TokensConfig{}), Hosts: []string{host}})
		if err == nil || !strings.Contains(err.Error(), "Hosts") {
			t.Errorf("%q: %v", host, err)
		}
	}
}
