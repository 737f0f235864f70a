package access

import (
	"net/http"
	"strings"

	"holdfast/internal/store"
)

// secretLength is "hf_", 12 digits of the id, "_" and 64 digits.
const secretLength = 3 + 12 + 1 + 64

// validSecret reports whether text has the form of a token. It is no secret
// what the form is, so this may take different times.
func validSecret(text string) bool {
	id, ok := store.TokenID(text)
	return ok && len(text) == secretLength && isHex(id) && isHex(text[len(text)-64:])
}

// isHex has no branches inside: the digits of a token are random, so a
// processor guesses every second one wrong.
func isHex(s string) bool {
	bad := uint64(0)
	for i := range len(s) {
		digit, letter := uint64(s[i]-'0'), uint64(s[i]-'a') // what is below wraps around to the far end
		bad |= (9 - digit) & (5 - letter)                   // the top bit stays 0 when one of them is in range
	}
	return s != "" && bad>>63 == 0
}

// bearer returns the token of the Authorization header. The second result is
// false when there is no such header; the text is empty when there is one that
// cannot be a token of ours: several headers, another scheme, another form.
func bearer(h http.Header) (secret string, sent bool) {
	values := h["Authorization"]
	if len(values) == 0 {
		return "", false
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	rest = strings.Trim(rest, " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || !validSecret(rest) {
		return "", true
	}
	return rest, true
}

// sessionPrefix marks the value of a session cookie, for people and for Mask.
const sessionPrefix = "hfs_"

// sessionCookie returns the value of the session cookie. A name that is sent
// twice counts as not sent: one of them was planted by somebody else.
func sessionCookie(r *http.Request, name string) (string, bool) {
	if len(r.Header["Cookie"]) == 0 {
		return "", false
	}
	all := r.CookiesNamed(name)
	if len(all) != 1 {
		return "", false
	}
	digits, ok := strings.CutPrefix(all[0].Value, sessionPrefix)
	if !ok || len(digits) != 64 || !isHex(digits) {
		return "", false
	}
	return all[0].Value, true
}
