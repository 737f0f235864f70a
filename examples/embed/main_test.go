package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestNobodyNoticesOneIllServerAndTheFallbackAnswersForTwo(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", func(url string) { ready <- url }) }()
	var p probe
	select {
	case p.url = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	met := p.greetings(t)
	if met["anna"] == 0 || met["bert"] == 0 || met["out"] > 0 {
		t.Errorf("both well: %v", met)
	}
	p.ask(t, http.MethodPost, "/ill/anna")
	if met = p.greetings(t); met["anna"] > 0 || met["out"] > 0 {
		t.Errorf("anna ill: %v", met)
	}
	p.ask(t, http.MethodPost, "/ill/bert")
	status, body, id := p.ask(t, http.MethodGet, "/greet/you")
	for n := 0; body != "everybody is out, back soon\n" && n < 20; n++ { // until the breaker opens
		status, body, id = p.ask(t, http.MethodGet, "/greet/you")
	}
	if status != http.StatusServiceUnavailable {
		t.Errorf("both ill: %d %q", status, body)
	}
	if _, why, _ := p.ask(t, http.MethodGet, "/why/"+id); !strings.Contains(why, "function greeting") {
		t.Errorf("explained as %q", why)
	}
	p.ask(t, http.MethodPost, "/well/anna")
	p.ask(t, http.MethodPost, "/well/bert")
	for deadline := time.Now().Add(20 * time.Second); p.greetings(t)["out"] > 0; {
		if time.Now().After(deadline) {
			t.Fatal("both are well again, and still the fallback answers")
		}
	}
	if _, body, _ := p.ask(t, http.MethodGet, "/"); body != "try /greet/you\n" {
		t.Errorf("the program itself answers %q", body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type probe struct{ url string }

func (p probe) ask(t *testing.T, method, path string) (status int, body, id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header.Get("X-Request-Id")
}

// greetings asks twenty times and counts who answered.
func (p probe) greetings(t *testing.T) map[string]int {
	t.Helper()
	met := map[string]int{}
	for range 20 {
		status, body, _ := p.ask(t, http.MethodGet, "/greet/you")
		who, _, _ := strings.Cut(body, " greets you")
		if status != http.StatusOK {
			who = "out"
		}
		met[who]++
	}
	return met
}
