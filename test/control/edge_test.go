package control_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

// send asks the admin listener with fields of the caller's.
func send(t *testing.T, method, url, body string, fields ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestRatesHoldOnEveryPathOfTheAdminListener(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	token := "Authorization: Bearer " + login(t, p).token
	paths := []string{"/healthz", "/metrics", "/readyz", "/api/openapi.json", "/api/v1/status", "/api/v1/events", recovery, "/nothing"}
	served, refused := 0, map[string]int{}
	begin := time.Now()
	for n := range 600 {
		path := paths[n%len(paths)]
		res := send(t, "GET", p.Admin+path, "", token)
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusTooManyRequests {
			served++
			continue
		}
		refused[path]++
		if res.Header.Get("Retry-After") == "" {
			t.Fatalf("%s: 429 without Retry-After", path)
		}
	}
	// A burst of 200, then 50 a second.
	if most := 200 + int(50*time.Since(begin).Seconds()) + 1; served > most {
		t.Errorf("%d of 600 were served in %v, want %d at most", served, time.Since(begin), most)
	}
	for _, path := range paths {
		if refused[path] == 0 && time.Since(begin) < 5*time.Second {
			t.Errorf("%s is not counted: refused %v", path, refused)
		}
	}
	if status := send(t, "GET", p.Gateway+"/api/public/hello", "").StatusCode; status != http.StatusOK {
		t.Errorf("the gateway shares the rate: %d", status)
	}
}

func TestStreamsAndLoginsAreLimited(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	token := "Authorization: Bearer " + login(t, p).token
	open := 0
	for range 12 {
		res := send(t, "GET", p.Admin+"/api/v1/events", "", token, "Accept: text/event-stream")
		if res.StatusCode == http.StatusTooManyRequests {
			continue
		}
		if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "retry: 1000\n" {
			t.Fatalf("%d %q %v", res.StatusCode, line, err)
		}
		open++
	}
	if open != 8 {
		t.Errorf("%d streams of one token are open, want 8", open)
	}
	if status := send(t, "GET", p.Admin+"/api/v1/events", "", "Accept: text/event-stream").StatusCode; status != http.StatusUnauthorized {
		t.Errorf("a stream without a token: %d", status)
	}
	wrong := `{"token":"hf_000000000000_` + strings.Repeat("0", 64) + `"}`
	seen := map[int]int{}
	for range 8 {
		seen[send(t, "POST", p.Admin+"/api/v1/session", wrong, "Content-Type: application/json").StatusCode]++
	}
	if seen[401] < 5 || seen[429] == 0 {
		t.Errorf("eight wrong logins: %v", seen)
	}
}

func TestASessionOfABrowser(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, "")))
	p.Ready(t, ready)
	own, secret := "Origin: "+p.Admin, login(t, p).token
	body := `{"token":"` + secret + `"}`
	if res := send(t, "POST", p.Admin+"/api/v1/session", body, "Content-Type: application/json", "Origin: http://evil.example"); res.StatusCode != http.StatusForbidden {
		t.Errorf("another site logs a browser in: %d", res.StatusCode)
	}
	res := send(t, "POST", p.Admin+"/api/v1/session", body, "Content-Type: application/json", own)
	cookies := res.Cookies()
	if res.StatusCode != http.StatusOK || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Domain != "" {
		t.Fatalf("login: %d %v", res.StatusCode, cookies)
	}
	if strings.Contains(cookies[0].Value, secret) {
		t.Error("the cookie is the token")
	}
	cookie := "Cookie: " + cookies[0].Name + "=" + cookies[0].Value
	for _, c := range []struct {
		what, method, path string
		want               int
		fields             []string
	}{
		{"reading", "GET", "/api/v1/status", 200, []string{cookie}},
		{"reading for another site", "GET", "/api/v1/status", 403, []string{cookie, "Sec-Fetch-Site: cross-site"}},
		{"an order without an origin", "POST", "/api/v1/functions/public/clear-sessions", 403, []string{cookie}},
		{"an order of another site", "POST", "/api/v1/functions/public/clear-sessions", 403, []string{cookie, "Origin: http://evil.example"}},
		{"an order of another port", "POST", "/api/v1/functions/public/clear-sessions", 403, []string{cookie, "Origin: " + p.Gateway}},
		{"an order", "POST", "/api/v1/functions/public/clear-sessions", 200, []string{cookie, own}},
		{"logging out", "DELETE", "/api/v1/session", 204, []string{cookie, own}},
		{"afterwards", "GET", "/api/v1/status", 401, []string{cookie}},
		{"an order without anything", "POST", "/api/v1/functions/public/clear-sessions", 401, []string{own}},
	} {
		res := send(t, c.method, p.Admin+c.path, "", c.fields...)
		if res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.what, res.StatusCode, c.want)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", c.what, name, got, want)
			}
		}
	}
}

func TestStatusesMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	a := login(t, p)
	for _, c := range []struct {
		want               int
		method, path, body string
		says, field        string
	}{
		{400, "POST", recovery, `{"action":"dance","function_name":"public"}`, "", "action"},
		{400, "POST", recovery, `{"action":"stop"}`, "", "function_name"},
		{400, "POST", recovery, `{"action":"stop","function_name":"public","sped":1}`, "", "sped"},
		{400, "POST", recovery, `{"action":`, "", ""},
		{400, "GET", recovery + "?action=everything", "", "", "action"},
		{400, "GET", recovery + "?functoin=public", "", "", "functoin"},
		{400, "PUT", recovery, `{"function_name":"public","scaling_config":{"max_instances":"many"}}`, "", "scaling_config.max_instances"},
		{400, "GET", "/api/v1/functions/public/history?step=x", "", "", "step"},
		{404, "POST", recovery, `{"action":"stop","function_name":"publik"}`, "publik", ""},
		{404, "PUT", recovery, `{"function_name":"publik"}`, "publik", ""},
		{404, "DELETE", recovery + "?function=publik", "", "publik", ""},
		{404, "GET", recovery + "?function=publik", "", "publik", ""},
		{404, "PUT", "/api/v1/functions/public/instances/x/weight", `{"weight":1}`, "no instance", ""},
		{404, "DELETE", "/api/v1/tokens/000000000000", "", "", ""},
		{404, "GET", "/api/v1/nothing", "", "there is nothing", ""},
		{405, "PATCH", recovery, "", "is not possible here", ""},
		{409, "POST", recovery, `{"action":"failover","function_name":"public"}`, "nobody else could take", ""},
		{409, "POST", "/api/v1/functions/public/failback", "", "has not failed over", ""},
		{413, "PUT", recovery, `{"function_name":"` + strings.Repeat("x", 2<<20) + `"}`, "longer", ""},
	} {
		v := a.refused(c.want, c.method, c.path, c.body, c.says)
		if c.field != "" && v["field"] != c.field {
			t.Errorf("%s %s %s: the field is %v, want %s", c.method, c.path, c.body, v["field"], c.field)
		}
	}
}

// The rate is for requests: a stream that was let in goes on.
func TestAStreamOutlivesTheRateOfItsAddress(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 2, spread)))
	p.Ready(t, ready)
	a := login(t, p)
	ctx, stop := context.WithTimeout(t.Context(), ready)
	defer stop()
	req := httptest.NewRequest(http.MethodGet, p.Admin+"/api/v1/events", nil).WithContext(ctx)
	req.RequestURI = ""
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	refused := false
	for n := 0; n < 2000 && !refused; n++ {
		refused = send(t, "GET", p.Admin+"/healthz", "").StatusCode == http.StatusTooManyRequests
	}
	if !refused {
		t.Fatal("2000 requests and none is refused")
	}
	run(t, p, 0, "function", "drain", "public", "public-1") // the local socket has no rate
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"instance":"public-1"`) && strings.Contains(lines.Text(), `"to":"inactive"`) {
			return
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}
