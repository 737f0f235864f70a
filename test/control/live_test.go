package control_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"holdfast/test/holdfast"
)

// The live view is a stream like the others: a token has eight, and loses them
// when it is revoked.
func TestARevokedTokenLosesItsLiveViews(t *testing.T) {
	t.Parallel()
	p := holdfast.Up(t, "-c", file(t, "functions:\n"+function(t, "public", 1, "")))
	p.Ready(t, ready)
	a := login(t, p)
	var made struct {
		Token  struct{ ID string }
		Secret string
	}
	res := send(t, http.MethodPost, a.base+"/api/v1/tokens", `{"name":"viewer","role":"viewer"}`, "Authorization: Bearer "+a.token, "Content-Type: application/json")
	text, _ := io.ReadAll(res.Body)
	if err := json.Unmarshal(text, &made); err != nil || made.Secret == "" {
		t.Fatalf("%s: %v", text, err)
	}
	watch := func() *http.Response {
		req, err := http.NewRequest(http.MethodGet, a.base+"/api/v1/live?function=public", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+made.Secret)
		req.Header.Set("Accept", "text/event-stream")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	const each = 8
	var views []*http.Response
	for range each {
		views = append(views, watch())
	}
	if res := watch(); res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one view more: %s", res.Status)
	}
	if status, v := a.ask(http.MethodDelete, "/api/v1/tokens/"+made.Token.ID, ""); status/100 != 2 {
		t.Fatalf("revoke: %d %v", status, v)
	}
	for _, res := range views { // they end with the next heartbeat
		text, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(text), "event: all\ndata: {") || !strings.Contains(string(text), "event: change\ndata: {") {
			t.Errorf("%v after %.200s", err, text)
		}
	}
	if res := watch(); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a view with a revoked token: %s", res.Status)
	}
}
