package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/admin/access/signin"
)

// Where a sign-in begins and comes back to, and the page it is for.
const (
	SignInPath   = "/api/v1/session/oidc"
	CallbackPath = SignInPath + "/callback"
	pagePath     = "/admin/monitoring"
)

// flowAge is how long somebody may take on the provider's page.
const flowAge = 10 * time.Minute

// flows binds a sign-in to the browser that began it. Its cookie holds a time and
// a random text; state, nonce and verifier are made of it with a key that nobody
// else has. So nothing is kept here that strangers could fill up, and whoever
// reads the cookie learns neither nonce nor verifier. After a restart the key is
// another one: who was on the provider's page begins again.
type flows struct{ key []byte }

func newFlows() flows {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails; the program ends when the system has no randomness
	return flows{key}
}

// flowPrefix marks the value of the cookie, for people and for Mask.
const flowPrefix = "hfo_"

// begin returns the value of a cookie.
func (f flows) begin(now time.Time) string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return flowPrefix + strconv.FormatInt(now.Unix(), 16) + "_" + hex.EncodeToString(b[:])
}

// of returns what belongs to a cookie, unless it is too old.
func (f flows) of(value string, now time.Time) (signin.Flow, bool) {
	rest, ok := strings.CutPrefix(value, flowPrefix)
	begun, random, cut := strings.Cut(rest, "_")
	seconds, err := strconv.ParseInt(begun, 16, 64)
	if !ok || !cut || err != nil || len(random) != 64 || !isHex(random) {
		return signin.Flow{}, false
	}
	if age := now.Sub(time.Unix(seconds, 0)); age < -time.Second || age > flowAge { // whole seconds are kept
		return signin.Flow{}, false
	}
	return signin.Flow{State: f.derive("state", value), Nonce: f.derive("nonce", value), Verifier: f.derive("verifier", value)}, true
}

func (f flows) derive(what, value string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(what + "\n" + value))
	return hex.EncodeToString(mac.Sum(nil))
}

// flowCookie is the cookie with a value; the empty value deletes it. It must come
// with the provider's redirect, so it is Lax, where the session's is Strict.
func (g *Guard) flowCookie(r *http.Request, value string) *http.Cookie {
	age := int(flowAge / time.Second)
	if value == "" {
		age = -1
	}
	return &http.Cookie{
		Name: g.sessions.cookieName(r) + "-oidc", Value: value, Path: "/", MaxAge: age,
		Secure: g.sessions.secure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// StartSignIn sends a browser to the provider's page.
func (g *Guard) StartSignIn() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := g.startSignIn(w, r, time.Now())
		if err != nil {
			g.refuseSignIn(w, r, err)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
}

func (g *Guard) startSignIn(w http.ResponseWriter, r *http.Request, now time.Time) (to string, err error) {
	if g.config.SignIn == nil {
		return "", noSignIn()
	}
	if err := g.sameOrigin(r); err != nil { // a picture on a foreign page must not end a sign-in that is under way
		return "", err
	}
	value := g.flows.begin(now)
	flow, _ := g.flows.of(value, now)
	if to, err = g.config.SignIn.Start(r.Context(), g.callback(r), flow); err != nil {
		return "", err
	}
	http.SetCookie(w, g.flowCookie(r, value))
	return to, nil
}

func noSignIn() *Error {
	return &Error{Status: http.StatusNotFound, Message: "nobody signs in through a provider here", Hint: "sign in with a token, or set admin.oidc in the configuration"}
}

// callback is where the provider sends browsers back to: what is configured, or
// the name by which this request came, which Handler knows to be ours.
func (g *Guard) callback(r *http.Request) string {
	if g.config.Callback != "" {
		return g.config.Callback
	}
	scheme := "http"
	if g.sessions.secure(r) {
		scheme = "https"
	}
	return scheme + "://" + r.Host + CallbackPath
}

// FinishSignIn takes what the provider sent a browser back with, and answers with
// a session and the way to the page.
func (g *Guard) FinishSignIn() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.config.SignIn != nil {
			http.SetCookie(w, g.flowCookie(r, "")) // good for one try
		}
		if err := g.finishSignIn(w, r, time.Now()); err != nil {
			g.refuseSignIn(w, r, err)
			return
		}
		http.Redirect(w, r, pagePath, http.StatusSeeOther)
	})
}

func (g *Guard) finishSignIn(w http.ResponseWriter, r *http.Request, now time.Time) error {
	if g.config.SignIn == nil {
		return noSignIn()
	}
	flow, err := g.flowOf(r, now)
	if err != nil {
		return err
	}
	from := clientNetwork(FromContext(r.Context()).Remote)
	if wait := g.failures.wait(from, now); wait > 0 {
		return tooMany("failed sign-ins from this address", wait)
	}
	person, err := g.config.SignIn.Finish(r.Context(), g.callback(r), flow, r.URL.Query(), now)
	if err != nil {
		if why, ok := errors.AsType[*signin.Refusal](err); !ok || !why.Down {
			g.failures.failed(from, now)
		}
		return err
	}
	g.failures.succeeded(from)
	return g.signedIn(w, r, person, now)
}

// flowOf returns what belongs to the browser of a request, if this is its answer:
// a link that somebody else was given leads nowhere.
func (g *Guard) flowOf(r *http.Request, now time.Time) (signin.Flow, error) {
	cookies := r.CookiesNamed(g.flowCookie(r, "").Name)
	if len(cookies) != 1 { // one of two was planted
		return signin.Flow{}, foreignFlow("this browser began no sign-in here")
	}
	flow, ok := g.flows.of(cookies[0].Value, now)
	if !ok {
		return signin.Flow{}, foreignFlow("the sign-in took more than 10 minutes, or Holdfast was restarted meanwhile")
	}
	if subtle.ConstantTimeCompare([]byte(flow.State), []byte(r.URL.Query().Get("state"))) != 1 {
		return signin.Flow{}, foreignFlow("this is the answer to another sign-in")
	}
	return flow, nil
}

func foreignFlow(why string) *Error {
	return &Error{Status: http.StatusForbidden, Message: why, Hint: "start again from " + pagePath}
}

// signedIn begins the session.
func (g *Guard) signedIn(w http.ResponseWriter, r *http.Request, person signin.Person, now time.Time) error {
	id := identityOfPerson(person, FromContext(r.Context()).Remote)
	if err := g.record(r, id, "session.login", person.Account()); err != nil {
		return err
	}
	value, _ := g.begin(r, session{account: person.Account(), person: &person}, now)
	http.SetCookie(w, g.sessions.cookie(r, value))
	return nil
}

// begin begins a session in place of the browser's last one.
func (g *Guard) begin(r *http.Request, s session, now time.Time) (value string, until time.Time) {
	if old, ok := sessionCookie(r, g.sessions.cookieName(r)); ok {
		if key, _, ok := g.sessions.find(old, now); ok {
			g.sessions.end(key)
		}
	}
	return g.sessions.begin(s, now)
}

// refuseSignIn answers a browser with a page and anything else like every
// refusal. What went wrong is for the log, not for who is at the door.
func (g *Guard) refuseSignIn(w http.ResponseWriter, r *http.Request, err error) {
	why, ok := errors.AsType[*signin.Refusal](err)
	if !ok {
		g.refusePage(w, r, AsError(err))
		return
	}
	answer := &Error{Status: http.StatusForbidden, Message: why.Message, Hint: why.Hint}
	if why.Down {
		answer.Status = http.StatusServiceUnavailable
	}
	if cause := why.Cause; cause != nil && !errors.Is(cause, context.Canceled) {
		g.config.Logger.LogAttrs(r.Context(), slog.LevelWarn, "sign-in refused", slog.String("remote", FromContext(r.Context()).Remote.String()),
			slog.String("told", why.Message), slog.String("reason", Mask(cause.Error())))
	}
	g.refusePage(w, r, answer)
}

// refusalPage needs no style: the policy of answers that are no page of ours
// allows none.
const refusalPage = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Not signed in</title></head>
<body><main><h1>Not signed in</h1><p>{{sentence .Message}}</p>{{with .Hint}}<p>{{sentence .}}</p>{{end}}<p><a href="` + pagePath + `">Back to the page</a></p></main></body></html>
`

// sentence makes one of the text of a refusal, which begins with a small letter.
func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

func (g *Guard) refusePage(w http.ResponseWriter, r *http.Request, why *Error) {
	page, err := template.New("refusal").Funcs(template.FuncMap{"sentence": sentence}).Parse(refusalPage)
	var b bytes.Buffer
	if err == nil {
		err = page.Execute(&b, why)
	}
	if err != nil || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		g.refuse(w, r, why)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	why.announce(w.Header())
	w.WriteHeader(why.Status)
	_, _ = w.Write(b.Bytes()) // whoever is gone needs no reason
}
