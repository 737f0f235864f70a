package exchange

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/balancer"
)

// Affinity keeps a client on one instance as long as that instance takes
// traffic. At most one of Cookie, Header and ClientIP is set; none: no affinity.
type Affinity struct {
	Cookie   string // name of a cookie Holdfast signs and sets
	Header   string // a request field whose value names the session
	ClientIP bool
	TTL      time.Duration // since the last request; default 1 h
}

func (a Affinity) validate() error {
	n := 0
	for _, on := range []bool{a.Cookie != "", a.Header != "", a.ClientIP} {
		if on {
			n++
		}
	}
	if n > 1 {
		return errors.New("affinity names more than one of cookie, header and client_ip")
	}
	if strings.ContainsFunc(a.Cookie, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	}) {
		return fmt.Errorf("affinity cookie %q is not a cookie name", a.Cookie)
	}
	return nil
}

// findSession finds out which session the request belongs to and where that
// session is.
func (x *Exchange) findSession(r *Request, h Header, now time.Time) {
	switch a := &x.rules.Affinity; {
	case a.Cookie != "":
		x.fromCookie(cookieValue(h.Get("Cookie"), a.Cookie), now)
		return
	case a.Header != "":
		if v := h.Get(a.Header); v != "" {
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
func (x *Exchange) fromCookie(value string, now time.Time) {
	t, ok := openToken(value, x.fn.secret, x.fn.name)
	if !ok || t.age(now) >= x.rules.Affinity.TTL || t.made <= x.fn.sessions.void.Load() {
		x.session = x.draw(1 << 32)
		return
	}
	x.token, x.hasToken, x.session = t, true, t.session
	x.prefer = x.fn.set.Load().byHash[t.instance]
}

// keepSession notes which instance answered the session. It returns the cookie
// to set: when there is none yet, when the session moved, or when half of the
// cookie's time is over.
func (x *Exchange) keepSession(i *balancer.Instance, now time.Time) string {
	a := &x.rules.Affinity
	if x.session == 0 {
		return ""
	}
	x.fn.sessions.keep(x.session, i, now, now.Add(a.TTL))
	if a.Cookie == "" {
		return ""
	}
	home := hashString(i.ID())
	if x.hasToken && x.token.instance == home && x.token.age(now) <= a.TTL/2 {
		return ""
	}
	made := max(now.UnixMilli(), x.fn.sessions.void.Load()+1) // also when the clock was set back
	return token{session: x.session, made: made, instance: home}.seal(x.fn.secret, x.fn.name)
}

// key is what consistent-hash spreads requests by.
func (x *Exchange) key(r *Request, header Header) uint64 {
	h, value := &x.rules.Hash, ""
	switch {
	case h.Header != "":
		value = header.Get(h.Header)
	case h.Cookie != "":
		value = cookieValue(header.Get("Cookie"), h.Cookie)
	case h.ClientIP:
		if r.Client.IsValid() {
			return hashAddr(r.Client)
		}
	case h.Path, x.session == 0:
		value = r.Path
	default:
		return x.session
	}
	if value == "" {
		return x.rec.Draw // all that have none must not go to one instance
	}
	return hashString(value)
}
