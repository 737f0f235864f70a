package signin

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"holdfast/internal/store"
)

// Person is who signed in, and what that somebody may do.
type Person struct {
	// Subject is the provider's name for the person; it never changes.
	Subject string
	// Name is the verified address of mail, or else the subject: what logs show.
	Name string
	Role store.Role
}

// Account names the person among all that may sign in here.
func (p Person) Account() string { return "oidc:" + p.Subject }

// claims are those that are looked at.
type claims map[string]json.RawMessage

func (p *Provider) admit(token *oidc.IDToken) (Person, error) {
	var c claims
	if err := token.Claims(&c); err != nil {
		return Person{}, &Refusal{Message: "what the provider " + p.host + " says cannot be read", Hint: "the log says more", Cause: fmt.Errorf("read claims: %w", err)}
	}
	email := c.email()
	person := Person{Subject: plain(token.Subject), Name: plain(email)}
	if email == "" {
		person.Name = person.Subject
	}
	if !p.domainOf(email) {
		return person, &Refusal{
			Message: "you are signed in at " + p.host + ", but not with a verified address of a domain that may come in here",
			Hint:    "sign in there with another account, or ask an admin to look at admin.oidc.domains", Cause: fmt.Errorf("subject %.100q, verified address %.100q", token.Subject, email),
		}
	}
	person.Role = p.role(c.values(p.config.Claim))
	if person.Role == "" {
		return person, &Refusal{
			Message: "you are signed in at " + p.host + ", but nothing there gives you a role here",
			Hint:    "ask an admin to look at admin.oidc.roles, or at your groups", Cause: fmt.Errorf("subject %.100q, verified address %.100q", token.Subject, email),
		}
	}
	return person, nil
}

// email is the address, when the provider vouches for it: anybody may write any
// address into a profile.
func (c claims) email() string {
	var address string
	var verified any
	_ = json.Unmarshal(c["email"], &address)
	_ = json.Unmarshal(c["email_verified"], &verified)
	if verified == true || verified == "true" { // some providers quote it
		return address
	}
	return ""
}

// domainOf reports whether an address is of a domain that may come in. Only the
// last @ counts, and no subdomain is its domain.
func (p *Provider) domainOf(email string) bool {
	if len(p.config.Domains) == 0 {
		return true
	}
	i := strings.LastIndexByte(email, '@')
	return i > 0 && slices.ContainsFunc(p.config.Domains, func(domain string) bool { return strings.EqualFold(email[i+1:], domain) })
}

// values are the texts of a claim: one, or a list.
func (c claims) values(path string) []string {
	if path == "email" || path == "email_verified" {
		if email := c.email(); email != "" {
			return []string{email}
		}
		return nil
	}
	raw, ok := c[path]
	if !ok {
		raw = c.inner(path)
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var mixed []any
	_ = json.Unmarshal(raw, &mixed)
	var list []string
	for _, x := range mixed {
		if s, ok := x.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// inner follows the dots of a path into objects.
func (c claims) inner(path string) json.RawMessage {
	for {
		first, rest, more := strings.Cut(path, ".")
		raw := c[first]
		if !more {
			return raw
		}
		c = nil
		if json.Unmarshal(raw, &c) != nil {
			return nil
		}
		path = rest
	}
}

// role is the highest that one of the values gives; empty: none does.
func (p *Provider) role(values []string) store.Role {
	for _, role := range []store.Role{store.Admin, store.Operator, store.Viewer} {
		for _, wanted := range p.config.Roles[role] {
			if wanted == Everybody || wanted != "" && slices.Contains(values, wanted) {
				return role
			}
		}
	}
	return ""
}

// longestName is what OpenID Connect allows a subject, in bytes.
const longestName = 255

// plain makes a name that logs can show.
func plain(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == unicode.ReplacementChar {
			return '_'
		}
		return c
	}, s)
	if len(s) > longestName {
		s = strings.ToValidUTF8(s[:longestName], "")
	}
	return s
}

// onThisMachine reports whether a host is this machine, where nobody is in
// between.
func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
