package access

import (
	"encoding/json"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/store"
)

// loginBytes bounds the body of a login: a token and the JSON around it.
const loginBytes = 4 << 10

// Who is the answer to a login and to the question who one is.
type Who struct {
	Kind    string     `json:"kind"`
	Name    string     `json:"name,omitempty"`
	Role    store.Role `json:"role,omitempty"`
	TokenID string     `json:"token_id,omitempty"`
	Account string     `json:"account,omitempty" doc:"oidc: and the provider's name for who signed in there"`
	Expires time.Time  `json:"expires_at,omitzero"`
	SignIn  []SignIn   `json:"sign_in" doc:"the ways to sign in, told to everybody"`
}

// SignIn is a way to sign in.
type SignIn struct {
	Kind string `json:"kind" enum:"token,oidc"`
	Name string `json:"name" doc:"what a button may be called"`
	URL  string `json:"url,omitempty" doc:"where a browser goes; missing: POST /api/v1/session"`
}

func (g *Guard) who(i Identity) Who {
	w := Who{
		Kind: i.Kind.String(), Name: i.Name, Role: i.Role, TokenID: i.TokenID, Account: i.Account, Expires: i.Expires,
		SignIn: []SignIn{{Kind: "token", Name: "token"}},
	}
	if g.config.SignIn != nil {
		w.SignIn = append(w.SignIn, SignIn{Kind: "oidc", Name: g.config.SignIn.Name(), URL: SignInPath})
	}
	return w
}

// Login answers POST {"token": "hf_..."} with a session cookie and a Who. Like
// the other handlers it stands behind Handler.
func (g *Guard) Login() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := g.login(w, r, time.Now())
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, g.who(id))
	})
}

func (g *Guard) login(w http.ResponseWriter, r *http.Request, now time.Time) (Identity, error) {
	// A foreign page must not be able to log a browser in as somebody else,
	// nor to use up the attempts of its address.
	if err := g.origin.Check(r); err != nil {
		return Identity{}, foreign("another site asks")
	}
	secret, err := loginSecret(w, r)
	if err != nil {
		return Identity{}, err
	}
	remote := FromContext(r.Context()).Remote
	c := client{remote, clientNetwork(remote)}
	if wait := g.failures.wait(c.network, now); wait > 0 {
		return Identity{}, tooMany("failed logins from this address", wait)
	}
	tok, err := g.verify(r.Context(), secret, c, now)
	if err != nil {
		return Identity{}, err
	}
	id := identityOf(Session, tok, remote)
	if err := g.record(r, id, "session.login", tok.ID); err != nil {
		return Identity{}, err
	}
	value, until := g.begin(r, session{account: tok.ID}, now)
	id.Expires = earlier(tok.ExpiresAt, until)
	http.SetCookie(w, g.sessions.cookie(r, value))
	return id, nil
}

// record writes a login or logout into the audit log. A store that is down
// does not keep people from looking at what goes on: the log line stays.
func (g *Guard) record(r *http.Request, id Identity, action, target string) error {
	Covered(r.Context())
	g.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "session changed", slog.String("action", action),
		slog.String("who", id.Name), slog.String("account", target), slog.String("remote", id.Actor().Source))
	if g.config.Audit == nil {
		return nil
	}
	err := g.config.Audit.record(r.Context(), entry(id, action, target))
	if err != nil && !isUnavailable(err) {
		return err
	}
	return nil
}

// loginSecret reads the body. It never quotes it.
func loginSecret(w http.ResponseWriter, r *http.Request) (string, error) {
	bad := &Error{Status: http.StatusBadRequest, Message: "the body must be {\"token\": \"hf_...\"}"}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return "", &Error{Status: http.StatusUnsupportedMediaType, Message: "Content-Type must be application/json"}
	}
	var body struct {
		Token string `json:"token"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, loginBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || d.More() {
		return "", bad // the decoder's error may quote the token
	}
	secret := strings.TrimSpace(body.Token)
	if !validSecret(secret) {
		secret = "" // takes the way of every wrong token
	}
	return secret, nil
}

// Logout ends the session of the request and deletes the cookie. It is no
// error when there is none.
func (g *Guard) Logout() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := FromContext(r.Context())
		Covered(r.Context())
		if id.Kind == Session {
			g.sessions.end(id.session)
			if err := g.record(r, id, "session.logout", id.account()); err != nil {
				g.config.Logger.LogAttrs(r.Context(), slog.LevelError, "logout not recorded", slog.String("error", Mask(err.Error())))
			}
		}
		http.SetCookie(w, g.sessions.cookie(r, ""))
		w.WriteHeader(http.StatusNoContent)
	})
}

// WhoAmI answers who the request comes from, and how one could sign in.
func (g *Guard) WhoAmI() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, g.who(FromContext(r.Context())))
	})
}
