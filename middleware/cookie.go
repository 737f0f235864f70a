package middleware

import (
	"net/http"
	"time"

	"holdfast/exchange"
)

// cookie makes the affinity cookie a step asks for.
func (f *flight) cookie(step exchange.Step) *http.Cookie {
	o := f.engine.options(step.Function)
	a := step.Function.Policy().Affinity
	same := o.SameSite
	if same == 0 {
		same = http.SameSiteLaxMode
	}
	return &http.Cookie{
		Name: a.Cookie, Value: step.SetCookie, Path: "/", MaxAge: int(a.TTL / time.Second), HttpOnly: true, SameSite: same,
		Secure: f.in.proto == "https" || o.SecureCookie || same == http.SameSiteNoneMode,
	}
}
