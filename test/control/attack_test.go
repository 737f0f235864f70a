package control_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"holdfast/test/holdfast"
)

// attempt sends a request with headers of the attacker's choice.
func (a api) attempt(method, path, body string, headers ...string) (status int, answer string, cookies []*http.Cookie) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Cookies()
}

func TestAnAdminTokenIsNoWayToTheMachine(t *testing.T) {
	t.Parallel()
	conf := file(t, "functions:\n"+function(t, "public", 1, "")+
		"  still:\n    routes: [{path: /api/still/}]\n    health: {disabled: true}\n    instances: [{id: x, url: 'http://127.0.0.1:1'}]\n")
	p := holdfast.Up(t, "-c", conf)
	p.Ready(t, ready)
	a := login(t, p)
	_, before := a.ask("GET", "/api/v1/config/values?path=functions", "")
	for _, try := range []string{
		// other ports, and places only this machine reaches
		`"functions.still.health.port","value":22`, `"functions.still.health","value":{"port":22}`,
		`"functions.still.instances","value":["http://10.0.0.1"]`, `"functions.still.instances","value":"http://10.0.0.1"`,
		`"functions.still.instances","value":[{"url":["http://10.0.0.1"]}]`, `"functions.still.instances","value":[{"URL":"http://10.0.0.1"}]`,
		`"functions.still.instances","value":[{"url":"http://203.0.113.9","Url":"http://10.0.0.1"}]`,
		`"functions.still.instances","value":{"url":"http://10.0.0.1"}`, `"functions.still.instances","value":"[{\"url\":\"http://10.0.0.1\"}]"`,
		`"functions.still.instances","value":[{"url":"http://localhost:1"}]`, `"functions.still.instances","value":[{"url":"http://2130706433"}]`,
		`"functions.still.instances","value":[{"url":"http://0x7f.1"}]`, `"functions.still.instances","value":[{"url":"http://[::ffff:169.254.169.254]"}]`,
		`"functions.still.instances","value":[{"url":"http://[64:ff9b::a9fe:a9fe]"}]`, `"functions.still.instances","value":[{"url":"unix:///run/docker.sock"}]`,
		// other ways to the same keys
		`"functions.still.instances[0].url","value":"http://10.0.0.1"`, `"functions.still.Instances","value":[{"url":"http://10.0.0.1"}]`,
		`"functions.still","value":{"instances":[{"url":"http://10.0.0.1"}]}`, `"functions","value":{}`, `"","value":{}`,
		`"defaults.instances","value":[{"url":"http://10.0.0.1"}]`, `"include","value":["/etc/passwd"]`,
		`"functions.new.instances","value":[{"url":"http://8.8.8.8"}]`,
		// commands, files, variables
		`"functions.public.platform.process.command","value":["sh"]`, `"functions.public.platform","value":{}`, `"functions.public.platform.process.dir","value":"/"`,
		`"functions.public.health","value":{"type":"exec","command":["sh"]}`, `"functions.public.health.Command","value":["sh"]`,
		`"functions.public.fallback.body","value":"${file:/etc/passwd}"`, `"functions.public.fallback","value":{"body":"${HOME}"}`, `"functions.public.fallback.headers","value":{"${HOME}":"x"}`,
		`"admin.listen","value":"0.0.0.0:1"`, `"admin.allow_instances","value":["0.0.0.0/0"]`, `"data_dir","value":"/tmp"`, `"log.file","value":"/tmp/x"`, `"log.format","value":"json"`,
	} {
		if status, v := a.ask("PUT", "/api/v1/config/values", `{"path":`+try+`}`); status < 400 || status >= 500 || v["success"] != false {
			t.Errorf("%s: %d %v", try, status, v)
		}
	}
	for _, doc := range []string{
		`"recovery_config":{"health":{"port":22}}`, `"recovery_config":{"instances":[]}`, `"recovery_config":{"health":{"command":["sh"]}}`,
		`"recovery_config":{"circuit_breaker.x":1}`, `"scaling_config":{"../platform":{}}`, `"recovery_config":{"fallback":{"body":"${HOME}"}}`, `"recovery_config":{"operator":{"stopped":null}}`,
	} {
		if status, v := a.ask("PUT", recovery, `{"function_name":"public",`+doc+`}`); status < 400 || status >= 500 {
			t.Errorf("%s: %d %v", doc, status, v)
		}
	}
	if _, after := a.ask("GET", "/api/v1/config/values?path=functions", ""); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("something was changed: %v", after)
	}
}

func TestASessionIsNoUseToOtherPagesAndEndsWithItsToken(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	a := login(t, p)
	_, made := a.ask("POST", "/api/v1/tokens", `{"name":"browser","role":"operator"}`)
	secret := made["secret"].(string)
	status, answer, cookies := a.attempt("POST", "/api/v1/session", `{"token":"`+secret+`"}`, "Content-Type: application/json")
	if status != 200 || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || cookies[0].Domain != "" {
		t.Fatalf("log in: %d %s %v", status, answer, cookies)
	}
	cookie, own := "Cookie: "+cookies[0].Name+"="+cookies[0].Value, "Origin: "+a.base
	const stop = `{"action":"stop","function_name":"public"}`
	for _, c := range []struct {
		want    int
		headers []string
	}{
		{403, []string{cookie}},
		{403, []string{cookie, "Origin: http://evil.example"}},
		{403, []string{cookie, "Origin: null"}},
		{403, []string{cookie, "Origin: http://localhost:1"}},
		{403, []string{cookie, "Sec-Fetch-Site: cross-site"}},
		{403, []string{cookie, "Sec-Fetch-Site: same-site"}},
		{403, []string{cookie, own, "Sec-Fetch-Site: same-site"}},
		{403, []string{cookie, "Referer: " + a.base + "/"}},
		{421, []string{cookie, own, "Host: evil.example"}},
		{401, []string{cookie, cookie, own}}, // one of them was planted
		{401, []string{cookie + "; " + strings.TrimPrefix(cookie, "Cookie: "), own}},
		{401, []string{"Authorization: Bearer " + secret[:79]}},
		{401, []string{"Authorization: Bearer " + secret, "Authorization: Bearer " + secret}},
		{401, []string{"X-Forwarded-User: admin", "X-Forwarded-For: 127.0.0.1"}},
	} {
		if status, answer, _ := a.attempt("POST", recovery, stop, c.headers...); status != c.want {
			t.Errorf("%.30q: %d %s, want %d", c.headers, status, answer, c.want)
		}
	}
	if _, v := a.ask("GET", "/api/v1/functions/public", ""); strings.Contains(fmt.Sprint(v), "stopped:true") {
		t.Fatal("somebody was let through")
	}
	// Others may not read with it, and no header makes a change out of a read.
	if status, _, _ := a.attempt("GET", "/api/v1/status", "", cookie, "Sec-Fetch-Site: cross-site"); status != 403 {
		t.Errorf("another site reads: %d", status)
	}
	if status, _, _ := a.attempt("GET", recovery+"?function=public", "", cookie, own, "X-HTTP-Method-Override: DELETE"); status != 200 {
		t.Errorf("reading: %d", status)
	}
	if _, v := a.ask("GET", "/api/v1/functions/public", ""); strings.Contains(fmt.Sprint(v), "enabled:false") {
		t.Error("a GET disabled the function")
	}
	for _, path := range []string{"/api/v1/tokens", "/api/v1/audit", "/api/v1//tokens", "/api/v1/./tokens", "/api/v1/%74okens", "/api/v1/status/../tokens"} {
		if status, answer, _ := a.attempt("GET", path, "", cookie, own); status == 200 {
			t.Errorf("an operator reads %s: %s", path, answer)
		}
	}
	if status, answer, _ := a.attempt("POST", recovery, stop, cookie, own); status != 200 {
		t.Errorf("its own page: %d %s", status, answer)
	}
	id := strings.Split(secret, "_")[1]
	if status, v := a.ask("DELETE", "/api/v1/tokens/"+id, ""); status >= 300 {
		t.Fatalf("revoke: %d %v", status, v)
	}
	for _, header := range []string{cookie, "Authorization: Bearer " + secret} {
		if status, _, _ := a.attempt("GET", "/api/v1/status", "", header, own); status != 401 {
			t.Errorf("after revoking, %.14s: %d", header, status)
		}
	}
}

func TestRatesHoldWhateverAClientSaysOfItself(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	a := api{t, p.Admin, ""}
	seen := map[int]int{}
	for n := range 3000 { // 50/s after 200
		path := []string{"/healthz", "/metrics", "/readyz", "/nothing"}[n%4]
		status, answer, _ := a.attempt("GET", path, "", fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", n/250, n%250), fmt.Sprintf("X-Real-IP: 10.0.0.%d", n%250), "Forwarded: for=10.0.0.9")
		if seen[status]++; status == 429 {
			if !strings.Contains(answer, "requests from this address") {
				t.Errorf("%s", answer)
			}
			return
		}
	}
	t.Errorf("nobody was slowed down: %v", seen)
}
