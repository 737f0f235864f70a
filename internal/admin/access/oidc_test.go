package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"holdfast/internal/admin/access"
	"holdfast/internal/admin/access/signin"
	"holdfast/internal/store"
)

// providerKey is made once, because that takes long.
var providerKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// withProvider is a bench at which people of the group engineering of a real
// provider are operators.
func withProvider(t *testing.T, adjust func(*access.Config)) (*bench, *mockoidc.MockOIDC) {
	t.Helper()
	m, err := mockoidc.NewServer(providerKey())
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(l, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	p, err := signin.New(signin.Config{
		Issuer: m.Issuer(), ClientID: m.ClientID, ClientSecret: m.ClientSecret, Scopes: []string{"profile", "email", "groups"},
		Roles: map[store.Role][]string{store.Operator: {"engineering"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return outside(t, func(c *access.Config) {
		c.SignIn = p
		if adjust != nil {
			adjust(c)
		}
	}), m
}

// outside is a bench outside of a bubble, where there are real connections.
func outside(t *testing.T, adjust func(*access.Config)) *bench {
	t.Helper()
	b := benchWith(t, started, adjust)
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := b.tokens.Known(b.secrets[store.Viewer], time.Now()); err == nil {
			return b
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatal("the tokens were not read within a minute")
		}
	}
}

// toProvider begins a sign-in and returns the flow's cookie and where the provider
// sends the browser back to.
func toProvider(t *testing.T, b *bench) (cookie, back string) {
	t.Helper()
	w := b.ask("GET", access.SignInPath, "", "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin")
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	browser := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	page, err := browser.Get(w.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	to, err := page.Location()
	if err != nil {
		t.Fatal(err)
	}
	c := w.Result().Cookies()[0]
	return "Cookie: " + c.Name + "=" + c.Value, to.RequestURI()
}

// comeBack is the browser on its way back from another site.
func comeBack(b *bench, back string, headers ...string) *httptest.ResponseRecorder {
	return b.ask("GET", back, "", append(headers, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site", "Accept: text/html")...)
}

func sessionOf(w *httptest.ResponseRecorder) string {
	for _, c := range w.Result().Cookies() {
		if strings.HasPrefix(c.Value, "hfs_") {
			return "Cookie: " + c.Name + "=" + c.Value
		}
	}
	return ""
}

func TestWhoSignsInThroughTheProviderHasTheRoleOfTheGroup(t *testing.T) {
	t.Parallel()
	b, _ := withProvider(t, nil)
	if w := b.ask("GET", "/who", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `{"kind":"oidc","name":"127.0.0.1:`) || !strings.Contains(w.Body.String(), `"url":"/api/v1/session/oidc"`) {
		t.Errorf("told to nobody: %d %s", w.Code, w.Body)
	}
	cookie, back := toProvider(t, b)
	w := comeBack(b, back, cookie)
	session := sessionOf(w)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/admin/monitoring" || session == "" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	flowEnds := slices.ContainsFunc(w.Result().Cookies(), func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "-oidc") && c.MaxAge < 0 })
	if !flowEnds {
		t.Errorf("the flow's cookie stays: %v", w.Result().Cookies())
	}
	for path, want := range map[string]int{"/read": 200, "/act": 200, "/change": 403} {
		if w := b.ask("GET", path, "", session); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := b.ask("GET", "/who", "", session); !strings.Contains(w.Body.String(), `"kind":"session","name":"jane.doe@example.com","role":"operator","account":"oidc:1234567890"`) {
		t.Errorf("%s", w.Body)
	}
	if w := b.ask("POST", "/act", "", session); w.Code != 403 {
		t.Errorf("a change that no page of ours asks for: %d", w.Code)
	}
	if w := b.ask("POST", "/logout", "", session, "Sec-Fetch-Site: same-origin"); w.Code != 204 {
		t.Errorf("logout: %d", w.Code)
	}
	if w := b.ask("GET", "/read", "", session); w.Code != 401 {
		t.Errorf("after logout: %d", w.Code)
	}
	e := b.store.audited()
	if len(e) != 2 || e[0].Action != "session.login" || e[1].Action != "session.logout" || e[0].Actor.Name != "jane.doe@example.com" || e[0].Actor.Role != store.Operator || e[0].Target != "oidc:1234567890" || e[0].Actor.Source != "192.0.2.1" {
		t.Errorf("audit: %+v", e)
	}
	if logs := b.logs.String(); strings.Contains(logs, "hfo_") || strings.Contains(logs, "hfs_") || strings.Contains(logs, "code=") {
		t.Errorf("%s", logs)
	}
}

func TestTheAnswerOfAnotherBrowserSignsNobodyIn(t *testing.T) {
	t.Parallel()
	b, _ := withProvider(t, nil)
	victim, _ := toProvider(t, b)
	mine, back := toProvider(t, b)
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("state", strings.Repeat("0", 64))
	name, value, _ := strings.Cut(mine, "=")
	for what, tt := range map[string]struct {
		back    string
		cookies []string
	}{
		"no cookie":        {back, nil},
		"another's cookie": {back, []string{victim}},
		"two cookies":      {back, []string{mine, victim}},
		"another state":    {u.Path + "?" + q.Encode(), []string{mine}},
		"no state":         {u.Path + "?code=" + q.Get("code"), []string{mine}},
		"a changed cookie": {back, []string{name + "=" + value[:len(value)-1] + "0"}},
		"an older time":    {back, []string{name + "=hfo_0" + value[4:]}},
		"no time":          {back, []string{name + "=hfo_" + value[strings.LastIndexByte(value, '_'):]}},
		"a session's form": {back, []string{name + "=hfs_" + strings.Repeat("0", 64)}},
	} {
		if what == "a changed cookie" && strings.HasSuffix(value, "0") {
			continue
		}
		w := comeBack(b, tt.back, tt.cookies...)
		if w.Code != 403 || sessionOf(w) != "" || !strings.Contains(w.Body.String(), "Not signed in") || !strings.Contains(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	if w := comeBack(b, back, mine); w.Code != http.StatusSeeOther || sessionOf(w) == "" {
		t.Errorf("the right one: %d %s", w.Code, w.Body)
	}
	if w := comeBack(b, back, mine); w.Code != 403 || sessionOf(w) != "" {
		t.Errorf("a second time: %d %s", w.Code, w.Body)
	}
	if e := b.store.audited(); len(e) != 1 {
		t.Errorf("audit: %+v", e)
	}
}

func TestWhoHasNoRoleIsToldWhatToDoAndTheLogWho(t *testing.T) {
	t.Parallel()
	b, m := withProvider(t, nil)
	m.QueueUser(&mockoidc.MockUser{Subject: "mallory", Email: "mallory@example.com", EmailVerified: true, Groups: []string{"<script>"}})
	cookie, back := toProvider(t, b)
	w := comeBack(b, back, cookie)
	if w.Code != 403 || sessionOf(w) != "" || !strings.Contains(w.Body.String(), "admin.oidc.roles") || strings.Contains(w.Body.String(), "mallory") || strings.Contains(w.Body.String(), "script") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if logs := b.logs.String(); !strings.Contains(logs, "mallory@example.com") || !strings.Contains(logs, "sign-in refused") {
		t.Errorf("%s", logs)
	}
	if w := b.ask("GET", "/read", ""); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
}

func TestWithoutAProviderOnlyTokensSignIn(t *testing.T) {
	t.Parallel()
	b := outside(t, nil)
	for _, path := range []string{access.SignInPath, access.CallbackPath + "?code=x&state=y"} {
		if w := b.ask("GET", path, ""); w.Code != 404 || !strings.Contains(w.Body.String(), `"hint":"sign in with a token`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := b.ask("GET", "/who", ""); !strings.Contains(w.Body.String(), `"sign_in":[{"kind":"token","name":"token"}]`) {
		t.Errorf("%s", w.Body)
	}
}

func TestAProviderThatIsDownLeavesTokens(t *testing.T) {
	t.Parallel()
	b, m := withProvider(t, nil)
	_ = m.Shutdown()
	w := b.ask("GET", access.SignInPath, "", "Accept: text/html")
	if w.Code != 503 || !strings.Contains(w.Body.String(), "Sign in with a token, or try again") || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if session := b.login(t, store.Viewer); b.ask("GET", "/read", "", session).Code != 200 {
		t.Error("a token no longer does")
	}
}

// A foreign page that shows a picture from here must not end a sign-in that is
// under way; one that leads here by a link may begin one.
func TestAForeignPageCannotEndASignIn(t *testing.T) {
	t.Parallel()
	b, _ := withProvider(t, nil)
	if w := b.ask("GET", access.SignInPath, "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"); w.Code != 403 || len(w.Result().Cookies()) != 0 {
		t.Errorf("%d %v", w.Code, w.Result().Cookies())
	}
	if w := b.ask("GET", access.SignInPath, "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"); w.Code != 303 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheFlowsCookieIsAsStrictAsItCanBe(t *testing.T) {
	t.Parallel()
	b, _ := withProvider(t, nil)
	for address, want := range map[string]string{"http://localhost:8081": "holdfast-oidc=hfo_", "https://holdfast.example": "__Host-holdfast-oidc=hfo_"} {
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address+access.SignInPath, nil))
		got, to := w.Header().Get("Set-Cookie"), w.Header().Get("Location")
		if !strings.HasPrefix(got, want) || strings.Contains(got, "Secure") != strings.HasPrefix(address, "https") || !strings.Contains(got, "HttpOnly") ||
			!strings.Contains(got, "SameSite=Lax") || !strings.Contains(got, "Path=/") || !strings.Contains(got, "Max-Age=600") || strings.Contains(got, "Domain") {
			t.Errorf("%s: %s", address, got)
		}
		if !strings.Contains(to, url.QueryEscape(address+access.CallbackPath)) || !strings.Contains(to, "code_challenge_method=S256") || !strings.Contains(to, "nonce=") {
			t.Errorf("to %s", to)
		}
		value, _, _ := strings.Cut(strings.TrimPrefix(got, want), ";")
		u, err := url.Parse(to)
		if err != nil || strings.Contains(to, value) || u.Query().Get("state") == u.Query().Get("nonce") {
			t.Errorf("the address tells the cookie: %s", to)
		}
	}
	fixed, _ := withProvider(t, func(c *access.Config) { c.Callback = "https://proxy.example" + access.CallbackPath })
	if w := fixed.ask("GET", access.SignInPath, ""); !strings.Contains(w.Header().Get("Location"), "redirect_uri=https%3A%2F%2Fproxy.example") {
		t.Errorf("%s", w.Header().Get("Location"))
	}
}

func TestASignInHasTenMinutesAndItsSessionTwelveHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for age, want := range map[time.Duration]bool{0: true, 10 * time.Minute: true, 10*time.Minute + 2*time.Second: false, -2 * time.Second: false} {
			if got := access.FlowAfter(now, age); got != want {
				t.Errorf("after %v: %v", age, got)
			}
		}
		b := newBench(t, nil)
		busy, until := b.guard.BeginFor(signin.Person{Subject: "ada", Name: "ada@example.com", Role: store.Viewer}, now)
		cookie := "Cookie: holdfast=" + busy
		for time.Now().Before(until) {
			if w := b.ask("GET", "/read", "", cookie); w.Code != 200 {
				t.Fatalf("after %v: %d", time.Since(now), w.Code)
			}
			time.Sleep(20 * time.Minute)
		}
		if w := b.ask("GET", "/read", "", cookie); w.Code != 401 || until.Sub(now) != 12*time.Hour {
			t.Errorf("after %v: %d", time.Since(now), w.Code)
		}
	})
}

func TestFailedSignInsMakeTheirAddressWait(t *testing.T) {
	t.Parallel()
	b, _ := withProvider(t, func(c *access.Config) { c.Limits.Failures, c.Limits.FirstDelay = 2, time.Hour })
	for i := range 4 {
		cookie, back := toProvider(t, b)
		u, err := url.Parse(back)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("code", "guessed")
		w := comeBack(b, u.Path+"?"+q.Encode(), cookie)
		if want := map[bool]int{true: 403, false: 429}[i < 3]; w.Code != want {
			t.Errorf("try %d: %d %s", i, w.Code, w.Body)
		}
	}
}
