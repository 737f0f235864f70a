package access

import (
	"net/http"
	"net/url"
)

// sameOrigin decides whether a request that a browser authenticated by itself,
// with a cookie, was wanted by a page of ours. Bearer tokens need no such
// check: a foreign page cannot add the header.
//
// Changes need a browser's word for it, Sec-Fetch-Site or Origin: all browsers
// since 2020 send one. Reading is refused when the browser says that another
// site, or another port of this host, asks, unless it opens a page by a link.
func (g *Guard) sameOrigin(r *http.Request) error {
	site := r.Header.Get("Sec-Fetch-Site")
	if safeMethod(r.Method) {
		if site == "" || site == "same-origin" || site == "none" || r.Header.Get("Sec-Fetch-Mode") == "navigate" {
			return nil
		}
		return foreign("another site asks")
	}
	if err := g.origin.Check(r); err != nil {
		return foreign("another site asks")
	}
	origin := r.Header.Get("Origin")
	switch {
	case origin != "" && !g.ownOrigin(r, origin):
		return foreign("the Origin is another one")
	case site == "same-origin" || site == "" && origin != "":
		return nil
	}
	return foreign("the browser does not say which page asks")
}

func foreign(why string) *Error {
	return &Error{
		Status: http.StatusForbidden, Message: "a session cannot be used for this request: " + why,
		Hint: "programs send a token in the Authorization header",
	}
}

// ownOrigin compares scheme, host and port with those of the request.
func (g *Guard) ownOrigin(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	scheme := "http"
	if g.sessions.secure(r) {
		scheme = "https"
	}
	return u.Scheme == scheme && u.Host == r.Host
}

func safeMethod(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}
