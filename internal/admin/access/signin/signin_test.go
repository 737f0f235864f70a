package signin_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
	"go.uber.org/goleak"

	"holdfast/internal/admin/access/signin"
	"holdfast/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const callback = "http://localhost:8081/api/v1/session/oidc/callback"

func flow() signin.Flow {
	return signin.Flow{State: "state", Nonce: "nonce", Verifier: strings.Repeat("v", 64)}
}

// someone is a user with any claims at all.
type someone struct {
	claims map[string]any
}

func (someone) ID() string                        { return "subject" }
func (someone) Userinfo([]string) ([]byte, error) { return []byte("{}"), nil }

func (s someone) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	b, err := json.Marshal(base)
	if err != nil {
		return nil, err
	}
	all := jwt.MapClaims{}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	maps.Copy(all, s.claims)
	return all, nil
}

// provider is a real one; answer may change what its token endpoint says.
func provider(t *testing.T, answer func(body []byte) []byte) *mockoidc.MockOIDC {
	t.Helper()
	m, err := mockoidc.NewServer(key())
	if err != nil {
		t.Fatal(err)
	}
	m.CodeChallengeMethodsSupported = []string{"S256"}
	if err := m.AddMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answer == nil || r.URL.Path != mockoidc.TokenEndpoint {
				next.ServeHTTP(w, r)
				return
			}
			seen := httptest.NewRecorder()
			next.ServeHTTP(seen, r)
			maps.Copy(w.Header(), seen.Header())
			w.Header().Del("Content-Length")
			body := seen.Body.Bytes()
			if seen.Code == http.StatusOK {
				body = answer(body)
			}
			w.WriteHeader(seen.Code)
			_, _ = w.Write(body)
		})
	}); err != nil {
		t.Fatal(err)
	}
	l, err := listen(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(l, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m
}

func client(t *testing.T, m *mockoidc.MockOIDC, change func(*signin.Config)) *signin.Provider {
	t.Helper()
	c := signin.Config{
		Issuer: m.Issuer(), ClientID: m.ClientID, ClientSecret: m.ClientSecret, Scopes: []string{"profile", "email", "groups"},
		Roles: map[store.Role][]string{store.Viewer: {"staff"}, store.Operator: {"sre"}, store.Admin: {"platform"}},
	}
	if change != nil {
		change(&c)
	}
	p, err := signin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visit does what a browser does between the two halves of a sign-in.
func visit(t *testing.T, p *signin.Provider, f signin.Flow) url.Values {
	t.Helper()
	to, err := p.Start(t.Context(), callback, f)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	page, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	back, err := page.Location()
	if err != nil {
		b, _ := io.ReadAll(page.Body)
		t.Fatalf("%s: %v, %s", to, err, b)
	}
	if !strings.HasPrefix(back.String(), callback+"?") {
		t.Fatalf("back to %s", back)
	}
	return back.Query()
}

func TestGroupsGiveRoles(t *testing.T) {
	t.Parallel()
	verified := func(email string) map[string]any { return map[string]any{"email": email, "email_verified": true} }
	both := func(a, b map[string]any) map[string]any {
		out := maps.Clone(a)
		maps.Copy(out, b)
		return out
	}
	groups := func(list ...any) map[string]any { return map[string]any{"groups": list} }
	everybody := func(c *signin.Config) {
		c.Roles, c.Domains = map[store.Role][]string{store.Viewer: {"*"}, store.Admin: {"platform"}}, []string{"example.com"}
	}
	claim := func(path string) func(*signin.Config) { return func(c *signin.Config) { c.Claim = path } }
	for name, tt := range map[string]struct {
		claims map[string]any
		change func(*signin.Config)
		role   store.Role // empty: refused
		who    string
	}{
		"none":                        {claims: nil},
		"another group":               {claims: groups("design")},
		"part of a name":              {claims: groups("sre-interns", "xplatform")},
		"another case":                {claims: groups("SRE")},
		"viewer":                      {claims: groups("staff"), role: store.Viewer, who: "subject"},
		"operator":                    {claims: groups("sre"), role: store.Operator},
		"the highest counts":          {claims: groups("staff", "platform", "sre"), role: store.Admin},
		"what is no text":             {claims: groups(1, nil, map[string]any{"sre": 1}, "sre"), role: store.Operator},
		"one text":                    {claims: map[string]any{"groups": "sre"}, role: store.Operator},
		"an object":                   {claims: map[string]any{"groups": map[string]any{"sre": true}}},
		"a verified address":          {claims: both(groups("sre"), verified("ada@example.com")), role: store.Operator, who: "ada@example.com"},
		"verified as text":            {claims: both(groups("sre"), map[string]any{"email": "ada@example.com", "email_verified": "true"}), role: store.Operator, who: "ada@example.com"},
		"an address anybody may give": {claims: both(groups("sre"), map[string]any{"email": "boss@example.com"}), role: store.Operator, who: "subject"},
		"not verified":                {claims: both(groups("sre"), map[string]any{"email": "boss@example.com", "email_verified": false}), role: store.Operator, who: "subject"},
		"inner":                       {claims: map[string]any{"realm_access": map[string]any{"roles": []any{"platform"}}}, change: claim("realm_access.roles"), role: store.Admin},
		"inner that is none":          {claims: map[string]any{"realm_access": "roles"}, change: claim("realm_access.roles")},
		"a name with dots":            {claims: map[string]any{"https://example.com/roles": []any{"sre"}}, change: claim("https://example.com/roles"), role: store.Operator},
		"by address": {claims: verified("ada@example.com"), change: func(c *signin.Config) {
			c.Claim, c.Roles = "email", map[store.Role][]string{store.Admin: {"ada@example.com"}}
		}, role: store.Admin},
		"by address, not verified": {claims: map[string]any{"email": "ada@example.com"}, change: func(c *signin.Config) {
			c.Claim, c.Roles = "email", map[store.Role][]string{store.Admin: {"ada@example.com"}}
		}},
		"everybody of a domain":    {claims: verified("ada@Example.com"), change: everybody, role: store.Viewer},
		"a group of a domain":      {claims: both(verified("ada@example.com"), groups("platform")), change: everybody, role: store.Admin},
		"a subdomain":              {claims: verified("ada@evil.example.com"), change: everybody},
		"a domain at the end":      {claims: verified("ada@evilexample.com"), change: everybody},
		"a domain in the name":     {claims: verified("ada@example.com@evil.example"), change: everybody},
		"a domain not verified":    {claims: map[string]any{"email": "ada@example.com"}, change: everybody},
		"no address":               {claims: groups("platform"), change: everybody},
		"a claim that says star":   {claims: groups("*")},
		"an empty group":           {claims: groups(""), change: func(c *signin.Config) { c.Roles = map[store.Role][]string{store.Admin: {""}} }},
		"a role nobody has set up": {claims: groups("root"), change: func(c *signin.Config) { c.Roles = map[store.Role][]string{"root": {"root"}} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := provider(t, nil)
			m.QueueUser(someone{tt.claims})
			p := client(t, m, tt.change)
			person, err := p.Finish(t.Context(), callback, flow(), visit(t, p, flow()), time.Now())
			if (err == nil) != (tt.role != "") || person.Role != tt.role || tt.who != "" && person.Name != tt.who {
				t.Fatalf("%+v, %v", person, err)
			}
			if err == nil && (person.Subject != "subject" || person.Account() != "oidc:subject") {
				t.Errorf("%+v", person)
			}
			if why, ok := errors.AsType[*signin.Refusal](err); err != nil && (!ok || why.Down || why.Hint == "" || strings.Contains(why.Message+why.Hint, "ada")) {
				t.Errorf("%+v", why)
			}
		})
	}
}

func TestATokenThatIsNotForThisSignInIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tt := range map[string]struct {
		claims map[string]any
		answer func([]byte) []byte
		good   bool
	}{
		"another nonce":             {claims: map[string]any{"nonce": "other"}},
		"no nonce":                  {claims: map[string]any{"nonce": ""}},
		"another audience":          {claims: map[string]any{"aud": "other"}},
		"two audiences":             {claims: map[string]any{"aud": []string{"CLIENT", "other"}}},
		"two, issued to us":         {claims: map[string]any{"aud": []string{"CLIENT", "other"}, "azp": "CLIENT"}, good: true},
		"issued to another":         {claims: map[string]any{"azp": "other"}},
		"another issuer":            {claims: map[string]any{"iss": "https://evil.example"}},
		"no subject":                {claims: map[string]any{"sub": ""}},
		"expired":                   {claims: map[string]any{"exp": now.Add(-5 * time.Minute).Unix()}},
		"expired by the clock only": {claims: map[string]any{"exp": now.Add(-time.Minute).Unix()}, good: true},
		"not valid yet":             {claims: map[string]any{"nbf": now.Add(time.Hour).Unix()}},
		"valid soon by the clock":   {claims: map[string]any{"nbf": now.Add(time.Minute).Unix(), "iat": now.Add(time.Minute).Unix()}, good: true},
		"issued in the future":      {claims: map[string]any{"iat": now.Add(time.Hour).Unix()}},
		"another signature":         {answer: token(func(h, p, s string) string { return h + "." + p + "." + flip(s) })},
		"another payload":           {answer: token(func(h, p, s string) string { return h + "." + reword(p) + "." + s })},
		"no signature":              {answer: token(func(_, p, _ string) string { return encode(`{"alg":"none","typ":"JWT"}`) + "." + p + "." })},
		"signed by what all can know": {answer: token(func(_, p, _ string) string {
			return encode(`{"alg":"HS256","typ":"JWT"}`) + "." + p + "." + encode("x")
		})},
		"no token":      {answer: func([]byte) []byte { return []byte(`{"access_token":"x","token_type":"bearer"}`) }},
		"no JSON":       {answer: func([]byte) []byte { return []byte("<html>") }},
		"too much":      {answer: func([]byte) []byte { return bytes.Repeat([]byte(" "), 2<<20) }},
		"nothing wrong": {good: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := provider(t, tt.answer)
			claims := map[string]any{"groups": []string{"sre"}}
			for k, v := range tt.claims {
				b, _ := json.Marshal(v)
				_ = json.Unmarshal(bytes.ReplaceAll(b, []byte("CLIENT"), []byte(m.ClientID)), &v)
				claims[k] = v
			}
			m.QueueUser(someone{claims})
			p := client(t, m, nil)
			person, err := p.Finish(t.Context(), callback, flow(), visit(t, p, flow()), now)
			if (err == nil) != tt.good || (person.Role != "") != tt.good {
				t.Fatalf("%+v, %v", person, err)
			}
			if why, ok := errors.AsType[*signin.Refusal](err); err != nil && (!ok || why.Cause == nil || strings.Contains(why.Message+why.Hint, "eyJ")) {
				t.Errorf("%+v", why)
			}
		})
	}
}

// token changes the ID token of an answer.
func token(change func(header, payload, signature string) string) func([]byte) []byte {
	return func(body []byte) []byte {
		var all map[string]any
		if json.Unmarshal(body, &all) != nil {
			return nil
		}
		text, _ := all["id_token"].(string)
		parts := strings.Split(text, ".")
		all["id_token"] = change(parts[0], parts[1], parts[2])
		b, _ := json.Marshal(all)
		return b
	}
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func flip(s string) string {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	b[len(b)/2] ^= 1
	return base64.RawURLEncoding.EncodeToString(b)
}

func reword(s string) string {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return encode(strings.Replace(string(b), `"sre"`, `"platform"`, 1))
}

func TestACodeIsGoodOnceAndForItsVerifierOnly(t *testing.T) {
	t.Parallel()
	m := provider(t, nil)
	p := client(t, m, func(c *signin.Config) { c.Roles = map[store.Role][]string{store.Viewer: {"engineering"}} })
	code := visit(t, p, flow())
	other := flow()
	other.Verifier = strings.Repeat("w", 64)
	if _, err := p.Finish(t.Context(), callback, other, code, time.Now()); err == nil {
		t.Error("another verifier was taken")
	}
	code = visit(t, p, flow())
	if _, err := p.Finish(t.Context(), callback, flow(), code, time.Now()); err != nil {
		t.Fatal(err)
	}
	why, ok := errors.AsType[*signin.Refusal](of(p.Finish(t.Context(), callback, flow(), code, time.Now())))
	if !ok || why.Down || why.Hint != "start again" {
		t.Errorf("a second time: %+v", why)
	}
}

func of(_ signin.Person, err error) error { return err }

func TestWhatTheProviderAnswersInPlaceOfACode(t *testing.T) {
	t.Parallel()
	p := client(t, provider(t, nil), nil)
	for query, want := range map[string]string{
		"": "sent no code", "error=access_denied&error_description=hunter2": "access_denied", "error=%3Cscript%3E": "an error",
		"code=x&iss=https://evil.example": "another provider", "code=nobodys": "does not take the code back",
	} {
		q, _ := url.ParseQuery(query)
		why, ok := errors.AsType[*signin.Refusal](of(p.Finish(t.Context(), callback, flow(), q, time.Now())))
		if !ok || !strings.Contains(why.Message, want) || strings.Contains(why.Message+why.Hint, "hunter2") || strings.Contains(why.Message, "<") {
			t.Errorf("%q: %+v", query, why)
		}
	}
	wrong := client(t, provider(t, nil), func(c *signin.Config) { c.ClientSecret = "hunter2" })
	why, ok := errors.AsType[*signin.Refusal](of(wrong.Finish(t.Context(), callback, flow(), visit(t, wrong, flow()), time.Now())))
	if !ok || !strings.Contains(why.Hint, "client_secret") || strings.Contains(why.Cause.Error(), "hunter2") {
		t.Errorf("%+v", why)
	}
}

func TestAProviderThatIsDownIsAskedAgainTheNextTime(t *testing.T) {
	t.Parallel()
	l, err := listen(t)
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	p, err := signin.New(signin.Config{Issuer: "http://" + address + "/oidc", ClientID: "x", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Start(t.Context(), callback, flow())
	if why, ok := errors.AsType[*signin.Refusal](err); !ok || !why.Down || !strings.Contains(why.Message, address) || !strings.Contains(why.Hint, "token") {
		t.Errorf("%v", err)
	}
	m := provider(t, nil)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	slow, err := signin.New(signin.Config{Issuer: silent.URL, ClientID: "x", Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Start(t.Context(), callback, flow()); err == nil {
		t.Error("a silent one was not given up")
	}
	// Its description is kept: a sign-in that began is finished while nobody can
	// describe it.
	back := client(t, m, nil)
	if _, err := back.Start(t.Context(), callback, flow()); err != nil {
		t.Fatal(err)
	}
	_ = m.Shutdown()
	if _, err := back.Start(t.Context(), callback, flow()); err != nil {
		t.Errorf("%v", err)
	}
	why, ok := errors.AsType[*signin.Refusal](of(back.Finish(t.Context(), callback, flow(), url.Values{"code": {"x"}}, time.Now())))
	if !ok || !why.Down {
		t.Errorf("%+v", why)
	}
}

func TestAnIssuerMustBeOneNobodyElseCanSpeakFor(t *testing.T) {
	t.Parallel()
	for issuer, good := range map[string]bool{
		"https://accounts.example.com": true, "https://example.com/realms/a": true, "http://127.0.0.1:5556": true, "http://localhost/dex": true, "http://[::1]:1": true,
		"": false, "http://accounts.example.com": false, "https://u:p@example.com": false, "https://example.com/?a": false, "https://example.com/#a": false, "ftp://example.com": false, "https://": false,
	} {
		if _, err := signin.New(signin.Config{Issuer: issuer, ClientID: "x"}); (err == nil) != good {
			t.Errorf("%q: %v", issuer, err)
		}
	}
	if _, err := signin.New(signin.Config{Issuer: "https://a.example"}); err == nil {
		t.Error("no client was accepted")
	}
}
