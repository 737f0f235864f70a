package exchange_test

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/retry"
)

func byCookie(c *exchange.FunctionConfig) { c.Policy.Affinity = exchange.Affinity{Cookie: "hf"} }

// visit makes one exchange with a cookie and returns who answered and the
// cookie to set.
func visit(c *client) (instance, cookie string) {
	c.tb.Helper()
	instance = c.wants(exchange.Attempt).instance()
	c.status(200).wants(exchange.Relay)
	cookie = c.step.SetCookie
	c.done(exchange.Outcome{}).end()
	return instance, cookie
}

func TestACookieKeepsAClientOnItsInstance(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, byCookie)
	home, cookie := visit(r.cookie(""))
	if cookie == "" {
		t.Fatal("the first answer sets no cookie")
	}
	for range 50 {
		if got, set := visit(r.cookie(cookie)); got != home || set != "" {
			t.Fatalf("went to %s with cookie %q set, want %s and none", got, set, home)
		}
	}
	if n := r.f.Sessions(r.now); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	others := map[string]bool{}
	for range 50 {
		other, _ := visit(r.cookie(""))
		others[other] = true
	}
	if len(others) < 3 {
		t.Errorf("50 new clients went to %d instances", len(others))
	}
}

func TestACookieMovesWhenItsInstanceIsDown(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(*rig, *balancer.Instance){
		"gone":     func(r *rig, i *balancer.Instance) { r.f.Balancer().SetLifecycle(i, balancer.Gone, "x", r.now) },
		"failing":  func(r *rig, i *balancer.Instance) { r.f.Balancer().SetHealth(i, balancer.HealthDown, "x", r.now) },
		"draining": func(r *rig, i *balancer.Instance) { r.f.Balancer().SetDraining(i, true, "x", r.now) },
		"removed":  func(r *rig, _ *balancer.Instance) { r.instances(r.f, balancer.Spec{ID: "new"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 3, byCookie)
			home, cookie := visit(r.cookie(""))
			down(r, r.f.Instance(home))
			moved, second := visit(r.cookie(cookie))
			if moved == home || second == "" || second == cookie {
				t.Fatalf("went from %s to %s with cookie %q", home, moved, second)
			}
			if got, set := visit(r.cookie(second)); got != moved || set != "" {
				t.Errorf("went to %s, want to stay on %s", got, moved)
			}
			if n := r.f.Sessions(r.now); n != 1 {
				t.Errorf("%d sessions, want 1: it moved", n)
			}
		})
	}
}

func TestAffinityYieldsToARetryAndNobodyIsPinnedToAFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, byCookie)
	home, cookie := visit(r.cookie(""))
	c := r.cookie(cookie)
	if c.instance() != home {
		t.Fatalf("first attempt on %s, want %s", c.instance(), home)
	}
	c.fails(retry.Reset).wants(exchange.Attempt)
	moved := c.instance()
	if moved == home {
		t.Fatal("retried on the instance that failed")
	}
	c.status(200)
	if c.step.SetCookie == "" {
		t.Error("the move sets no cookie")
	}
	c.done(exchange.Outcome{}).end()

	fresh := r.cookie("").status(500).status(500).status(500).wants(exchange.Relay)
	if fresh.step.SetCookie != "" {
		t.Error("a failure pins the client")
	}
	fresh.gone()
}

func TestACookieIsRenewedAfterHalfItsTimeAndExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, func(c *exchange.FunctionConfig) {
		c.Policy.Affinity = exchange.Affinity{Cookie: "hf", TTL: 10 * time.Minute}
	})
	home, cookie := visit(r.cookie(""))
	r.pass(5 * time.Minute)
	if _, set := visit(r.cookie(cookie)); set != "" {
		t.Error("renewed at half its time, want after")
	}
	r.pass(time.Millisecond)
	got, renewed := visit(r.cookie(cookie))
	if got != home || renewed == "" {
		t.Fatalf("on %s with cookie %q, want %s and a new one", got, renewed, home)
	}
	r.pass(9 * time.Minute)
	if got, set := visit(r.cookie(renewed)); got != home || set == "" {
		t.Errorf("on %s with cookie %q, want %s and a new one", got, set, home)
	}
	if _, set := visit(r.cookie(cookie)); set == "" {
		t.Error("a cookie older than its time was accepted")
	}
	r.pass(time.Hour)
	if n := r.f.Sessions(r.now); n != 0 {
		t.Errorf("%d sessions after an hour, want 0", n)
	}
}

// accepted says whether a cookie is taken as genuine: then no other is set.
func accepted(r *rig, cookie string) bool {
	_, set := visit(r.cookie(cookie))
	return set == ""
}

func TestAForgedCookieIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, byCookie)
	_, cookie := visit(r.cookie(""))
	if !accepted(r, cookie) {
		t.Fatal("the genuine cookie is refused")
	}
	for at := range len(cookie) {
		for bit := range 8 {
			b := []byte(cookie)
			b[at] ^= 1 << bit
			if b[at] != ';' && accepted(r, string(b)) {
				t.Errorf("accepted with bit %d of byte %d flipped", bit, at)
			}
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 8 * len(raw) {
		raw[n/8] ^= 1 << (n % 8)
		if accepted(r, base64.RawURLEncoding.EncodeToString(raw)) {
			t.Errorf("accepted with bit %d of the token flipped", n)
		}
		raw[n/8] ^= 1 << (n % 8)
	}
	for _, bad := range []string{"x", cookie + "A", cookie[1:], cookie[:len(cookie)-1], cookie + "=", string(make([]byte, 600))} {
		if accepted(r, bad) {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestACookieCountsForOneFunctionAndOneSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, byCookie)
	_, cookie := visit(r.cookie(""))
	for name, c := range map[string]struct {
		function, secret string
		want             bool
	}{
		"another process":  {"a", "sixteen bytes or more", true},
		"another function": {"c", "sixteen bytes or more", false},
		"another secret":   {"a", "another secret, as long", false},
	} {
		other := newRig(t, 1, byCookie)
		f := other.function(c.function, 1, func(f *exchange.FunctionConfig) {
			byCookie(f)
			f.Secret = []byte(c.secret)
		})
		other.route(exchange.Route{Function: f})
		if got := accepted(other, cookie); got != c.want {
			t.Errorf("%s: accepted %t, want %t", name, got, c.want)
		}
	}
}

func TestClearingSessionsVoidsTheirCookies(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, byCookie)
	_, old := visit(r.cookie(""))
	visit(r.cookie(""))
	r.pass(time.Second)
	if n := r.f.ClearSessions(r.now); n != 2 {
		t.Errorf("cleared %d sessions, want 2", n)
	}
	if n := r.f.Sessions(r.now); n != 0 {
		t.Errorf("%d sessions left", n)
	}
	if accepted(r, old) {
		t.Error("a cookie from before is accepted")
	}
	_, fresh := visit(r.cookie("")) // in the same instant
	if !accepted(r, fresh) {
		t.Error("a cookie from after is refused")
	}
	void := r.f.SessionsVoid()
	if !void.Equal(r.now) {
		t.Errorf("void until %s, want %s", void, r.now)
	}

	// A process that starts anew knows nothing of it, until it is told.
	next := newRig(t, 5, byCookie)
	next.now = r.now
	if !next.f.SessionsVoid().IsZero() || !accepted(next, old) {
		t.Error("a new process refuses a cookie it knows nothing about")
	}
	next.f.VoidSessions(void)
	next.f.VoidSessions(void.Add(-time.Hour))
	if accepted(next, old) || !accepted(next, fresh) {
		t.Error("a new process that was told does not agree with the old one")
	}

	r.now = r.now.Add(-time.Hour) // the clock is set back
	_, back := visit(r.cookie(""))
	if !accepted(r, back) {
		t.Error("a cookie made after the clock was set back is refused")
	}
}

func TestAHeaderOrTheClientsAddressIsASessionToo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		affinity exchange.Affinity
		request  func(n byte) exchange.Request
	}{
		"header": {exchange.Affinity{Header: "x-session"}, func(n byte) exchange.Request {
			return exchange.Request{Header: http.Header{"X-Session": {string(n)}}}
		}},
		"client": {exchange.Affinity{ClientIP: true}, func(n byte) exchange.Request {
			return exchange.Request{Client: netip.AddrFrom4([4]byte{10, 0, 0, n})}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 5, func(f *exchange.FunctionConfig) { f.Policy.Affinity = c.affinity })
			home := map[byte]string{}
			for n := range byte(100) {
				where, set := visit(r.begin(c.request(n)))
				if home[n] = where; set != "" {
					t.Fatal("a cookie is set")
				}
			}
			for n := range byte(100) {
				if got, _ := visit(r.begin(c.request(n))); got != home[n] {
					t.Errorf("session %d went from %s to %s", n, home[n], got)
				}
			}
			if n := r.f.Sessions(r.now); n != 100 {
				t.Errorf("%d sessions, want 100", n)
			}
			r.f.Balancer().SetLifecycle(r.f.Instance(home[7]), balancer.Gone, "x", r.now)
			moved, _ := visit(r.begin(c.request(7)))
			r.f.Balancer().SetLifecycle(r.f.Instance(home[7]), balancer.Running, "x", r.now)
			if got, _ := visit(r.begin(c.request(7))); got != moved || got == home[7] {
				t.Errorf("went to %s, want to stay on %s where it moved", got, moved)
			}
			visit(r.begin(exchange.Request{})) // neither header nor address: no session
			if n := r.f.Sessions(r.now); n != 100 {
				t.Errorf("%d sessions, want 100", n)
			}
			r.pass(time.Hour)
			if n := r.f.ClearSessions(r.now); n != 0 {
				t.Errorf("%d sessions alive after their time", n)
			}
		})
	}
}

func TestTheKeyOfConsistentHash(t *testing.T) {
	t.Parallel()
	with := func(name, value string) func(int) exchange.Request {
		return func(int) exchange.Request { return exchange.Request{Header: http.Header{name: {value}}} }
	}
	nth := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}) }
	none := func(int) exchange.Request { return exchange.Request{} }
	paths := func(n int) exchange.Request { return exchange.Request{Path: "/" + string(rune('a'+n))} }
	for name, c := range map[string]struct {
		hash     exchange.Hash
		affinity exchange.Affinity
		request  func(n int) exchange.Request
		spreads  bool // over the instances, by n
	}{
		"header":                        {exchange.Hash{Header: "x-user"}, exchange.Affinity{}, with("X-User", "7"), false},
		"header missing":                {exchange.Hash{Header: "x-user"}, exchange.Affinity{}, none, true},
		"cookie":                        {exchange.Hash{Cookie: "u"}, exchange.Affinity{}, with("Cookie", "a=b; u=7"), false},
		"cookie missing":                {exchange.Hash{Cookie: "u"}, exchange.Affinity{}, with("Cookie", "a=b"), true},
		"client":                        {exchange.Hash{ClientIP: true}, exchange.Affinity{}, func(int) exchange.Request { return exchange.Request{Client: nth(7)} }, false},
		"clients":                       {exchange.Hash{ClientIP: true}, exchange.Affinity{}, func(n int) exchange.Request { return exchange.Request{Client: nth(n)} }, true},
		"client unknown":                {exchange.Hash{ClientIP: true}, exchange.Affinity{}, none, true},
		"path":                          {exchange.Hash{Path: true}, exchange.Affinity{}, none, false},
		"paths":                         {exchange.Hash{Path: true}, exchange.Affinity{}, paths, true},
		"nothing said: the path":        {exchange.Hash{}, exchange.Affinity{}, none, false},
		"nothing said, but an affinity": {exchange.Hash{}, exchange.Affinity{Cookie: "hf"}, none, true},
		"the path before an affinity":   {exchange.Hash{Path: true}, exchange.Affinity{Cookie: "hf"}, none, false},
	} {
		r := newRig(t, 8, func(f *exchange.FunctionConfig) {
			f.Balancer.Strategy = balancer.ConsistentHash
			f.Policy.Hash, f.Policy.Affinity = c.hash, c.affinity
		})
		seen := map[string]bool{}
		for n := range 20 {
			where, _ := visit(r.begin(c.request(n)))
			seen[where] = true
		}
		if spread := len(seen) > 1; spread != c.spreads {
			t.Errorf("%s: on %d instances, spreads: want %t", name, len(seen), c.spreads)
		}
	}
}

func TestAffinityYieldsAlsoWhenAllWereTried(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, func(c *exchange.FunctionConfig) {
		byCookie(c)
		c.Policy.Retry.Attempts = 2
	})
	_, cookie := visit(r.cookie(""))
	c := r.cookie(cookie).fails(retry.Reset).fails(retry.Reset)
	r.now = c.step.Until
	c.next().finish()
	for n, want := range []bool{true, false, false} {
		if got := c.rec().Attempts[n].Pick.Rule == balancer.RuleAffinity; got != want {
			t.Errorf("attempt %d by affinity: %t, want %t", n+1, got, want)
		}
	}
}
