package gateway

import (
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/event"
)

func TestLoopsTakeWhatTheyCanConnectTo(t *testing.T) {
	t.Parallel()
	g := New(Config{Logger: slog.New(slog.DiscardHandler), Events: event.NewBus(8), Secret: make([]byte, 32)})
	spec := func(name, fallback string) Spec {
		return Spec{Config: exchange.FunctionConfig{Name: name}, Routes: []exchange.Route{{Path: "/" + name}}, Fallback: fallback}
	}
	if err := g.Apply([]Spec{spec("a", ""), spec("b", "c"), spec("c", "")}, time.Now()); err != nil {
		t.Fatal(err)
	}
	set := func(name string, endpoints ...string) {
		var list []balancer.Spec
		for _, e := range endpoints {
			list = append(list, balancer.Spec{ID: e, Endpoint: e})
		}
		if _, err := g.SetInstances(name, list, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		do    func()
		taken string // of the paths /a, /b, /c and /none
	}{
		{"no instances", func() {}, "abcn"},
		{"addresses", func() { set("a", "http://127.0.0.1:1", "http://[::1]:1"); set("c", "http://127.0.0.1:2") }, "abcn"},
		{"names", func() { set("b", "http://localhost:2", "http://api.internal") }, "abcn"},
		{"TLS behind a fallback", func() { set("c", "http://127.0.0.1:2", "https://localhost:2") }, "an"},
		{"TLS", func() { set("c"); set("a", "https://127.0.0.1:1") }, "bcn"},
		{"gone with its function", func() {
			if err := g.Apply([]Spec{spec("b", "c"), spec("c", "")}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}, "abcn"},
	} {
		c.do()
		taken := ""
		for _, path := range []string{"/a", "/b", "/c", "/none"} {
			if g.loopsTake(http.MethodGet, "h", path, http.Header{}) {
				taken += path[1:2]
			}
		}
		if taken != c.taken {
			t.Errorf("%s: %q are taken, want %q", c.name, taken, c.taken)
		}
	}
}

func TestTheSecondEngineGetsWhatCameBeforeTheEnd(t *testing.T) {
	t.Parallel()
	s := newSecond(&net.TCPAddr{})
	early, _ := net.Pipe()
	late, _ := net.Pipe()
	s.give(early)
	_ = s.Close()
	s.give(late)
	if c, err := s.Accept(); c != early || err != nil {
		t.Errorf("%v %v", c, err)
	}
	if _, err := s.Accept(); err == nil {
		t.Error("it accepts after its end")
	}
	if late.SetDeadline(time.Now()) == nil {
		t.Error("what came too late is open")
	}
}
