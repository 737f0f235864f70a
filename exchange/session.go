package exchange

import (
	"time"

	"holdfast/balancer"
)

// findSession finds out which session the request belongs to and where that
// session is.
func (x *Exchange) findSession(r *Request, now time.Time) {
	a := &x.policy.Affinity
	switch {
	case a.Cookie != "":
		x.fromCookie(r, a, now)
		return
	case a.Header != "":
		if v := r.Header.Get(a.Header); v != "" {
			x.session = hashString(v)
		}
	case a.ClientIP && r.Client.IsValid():
		x.session = hashAddr(r.Client)
	}
	if x.session != 0 {
		x.prefer = x.fn.sessions.find(x.session, now)
	}
}

// fromCookie trusts a genuine cookie also when this process never saw the
// session: it was made by another one, or before a restart.
func (x *Exchange) fromCookie(r *Request, a *Affinity, now time.Time) {
	t, ok := openToken(cookieValue(r.Header.Get("Cookie"), a.Cookie), x.fn.secret, x.fn.name, now)
	if !ok || t.generation != x.fn.generation.Load() {
		x.session = x.draw(1 << 32)
		return
	}
	x.token, x.hasToken, x.session = t, true, t.session
	x.prefer = x.fn.Instance(t.instance)
}

// keepSession notes which instance answered the session. It returns the cookie
// to set: when there is none yet, when the session moved, or when half of the
// cookie's time is over.
func (x *Exchange) keepSession(i *balancer.Instance, now time.Time) string {
	a := &x.policy.Affinity
	if !a.On() || x.session == 0 {
		return ""
	}
	expires := now.Add(a.TTL)
	x.fn.sessions.keep(x.session, i, now, expires)
	if a.Cookie == "" || x.hasToken && x.token.instance == i.ID() && time.Unix(x.token.expires, 0).Sub(now) > a.TTL/2 {
		return ""
	}
	t := token{session: x.session, generation: x.fn.generation.Load(), expires: expires.Unix(), instance: i.ID()}
	return t.seal(x.fn.secret, x.fn.name)
}

// key is what consistent-hash spreads requests by.
func (x *Exchange) key(r *Request) uint64 {
	h := &x.policy.Hash
	switch {
	case h.Header != "":
		return hashString(r.Header.Get(h.Header))
	case h.Cookie != "":
		return hashString(cookieValue(r.Header.Get("Cookie"), h.Cookie))
	case h.ClientIP:
		return hashAddr(r.Client)
	case x.session != 0 && !h.Path:
		return x.session
	default:
		return hashString(r.Path)
	}
}
