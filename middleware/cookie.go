package middleware

import (
	"net/http"
	"time"

	"holdfast/exchange"
)

// Cookie makes the affinity cookie a step asks for, for a client that used http
// or https. It is there for engines beside this one.
func (e *Engine) Cookie(step exchange.Step, proto string) *http.Cookie {
	o := e.options(step.Function)
	a := step.Function.Policy().Affinity
	same := o.SameSite
	if same == 0 {
		same = http.SameSiteLaxMode
	}
	return &http.Cookie{
		Name: a.Cookie, Value: step.SetCookie, Path: "/", MaxAge: int(a.TTL / time.Second), HttpOnly: true, SameSite: same,
		Secure: proto == "https" || o.SecureCookie || same == http.SameSiteNoneMode,
	}
}
