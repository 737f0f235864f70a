package httpload

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast/internal/http1"
)

// maxCookies bounds what a user keeps: servers may count on 50 (RFC 6265, 6.1).
const maxCookies = 50

// cookies are those of a user. A cookie goes back to the target it came from, in the paths it names; Domain is not looked
// at, so that no target learns what another one set.
type cookies struct {
	list []cookie
}

type cookie struct {
	target      int
	name, value string
	path        string
	until       time.Time // zero: as long as the user
}

// take keeps the cookies of an answer.
func (j *cookies) take(r *request, answer *http1.Response) {
	for name, value := range answer.Fields() {
		if !strings.EqualFold(name, "Set-Cookie") {
			continue
		}
		if c, err := http.ParseSetCookie(strings.Clone(value)); err == nil {
			j.set(r, c)
		}
	}
}

func (j *cookies) set(r *request, c *http.Cookie) {
	k := cookie{target: r.target, name: c.Name, value: c.Value, path: c.Path, until: c.Expires}
	if !strings.HasPrefix(k.path, "/") {
		k.path = r.path[:strings.LastIndexByte(r.path, '/')+1] // RFC 6265, 5.1.4
	}
	gone := c.MaxAge < 0 || !k.until.IsZero() && c.MaxAge == 0 && !k.until.After(time.Now())
	if c.MaxAge > 0 {
		k.until = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
	}
	j.list = slices.DeleteFunc(j.list, func(o cookie) bool {
		return o.target == k.target && o.name == k.name && o.path == k.path
	})
	if !gone && len(j.list) < maxCookies {
		j.list = append(j.list, k)
	}
}

// append writes the header line, if there is one, for a request to a path of a target.
func (j *cookies) append(dst []byte, target int, path string) []byte {
	first := true
	for i := range j.list {
		c := &j.list[i]
		if c.target != target || !under(path, c.path) || !c.until.IsZero() && !c.until.After(time.Now()) {
			continue
		}
		if first {
			dst = append(dst, "Cookie: "...)
		} else {
			dst = append(dst, "; "...)
		}
		dst = append(append(append(dst, c.name...), '='), c.value...)
		first = false
	}
	if first {
		return dst
	}
	return append(dst, '\r', '\n')
}

// under is path-match of RFC 6265, 5.1.4.
func under(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}
