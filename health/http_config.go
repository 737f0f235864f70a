package health

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dialer opens a connection, as [net.Dialer.DialContext] does.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// HTTPConfig describes an HTTP check. Only URL is required.
type HTTPConfig struct {
	// URL is http or https. User and password become basic authentication.
	URL string
	// Method defaults to GET. Requests have no body.
	Method string
	// Headers are sent as given. Their values never appear in reasons.
	Headers map[string]string
	// Host replaces the URL's host in the Host header and, for https, as the
	// name the certificate must have.
	Host string
	// Statuses are the expected ones, such as "200-299,404". Default
	// "200-399". Redirects are not followed but judged by their status.
	Statuses string
	// Lenient takes any status below 500, and no look at the body, as a sign
	// of life. It is meant for the check that nobody configured: a 404 shows
	// that the server is alive and only lacks the path. It excludes Statuses,
	// BodyContains, BodyMatches and JSON.
	Lenient bool
	// BodyContains is a text and BodyMatches a regular expression (RE2) that
	// the first 64 KiB of the body must contain.
	BodyContains, BodyMatches string
	// JSON conditions must all hold; the body must then be JSON of at most 64 KiB.
	JSON []Condition
	// Numbers are ways to further numbers in a JSON answer, as Condition.Field
	// is one. Result.Numbers has them by these very texts.
	Numbers []string
	// Timeout bounds a whole check, connecting included. 0 is the context's
	// deadline, or 2s when it has none.
	Timeout time.Duration
	// Reconnect is the age at which a kept connection is replaced, so that
	// the check also proves that new connections are taken and notices when a
	// name moves. 0 is one minute; negative connects for every check.
	Reconnect time.Duration
	// TLS is used for https; nil verifies against the system's roots.
	TLS *tls.Config
	// DialContext opens connections; nil dials directly.
	DialContext Dialer
}

// plan is a validated HTTPConfig with everything prepared that does not change
// from check to check.
type plan struct {
	what       string // method and path, as reasons show them
	well       string // the reason of a check answered by 200
	method     *http.Request
	request    []byte
	address    string
	statuses   statusSet
	lenient    bool
	contains   []byte
	matches    *regexp.Regexp
	conditions []Condition
	paths      [][]string
	numbers    []string
	secrets    []string
	timeout    time.Duration
	reconnect  time.Duration
	tls        *tls.Config
	dial       Dialer
}

func newPlan(c HTTPConfig) (plan, error) {
	u, err := parseURL(c.URL)
	if err != nil {
		return plan{}, err
	}
	if err := c.exclusive(); err != nil {
		return plan{}, err
	}
	p := plan{
		address: address(u), lenient: c.Lenient, contains: []byte(c.BodyContains), timeout: c.Timeout,
		reconnect: c.Reconnect, dial: directly(c.DialContext), conditions: slices.Clone(c.JSON), numbers: slices.Clone(c.Numbers),
	}
	if c.BodyContains == "" {
		p.contains = nil
	}
	if p.reconnect == 0 {
		p.reconnect = time.Minute
	}
	return p, errors.Join(p.prepareRequest(c, u), p.prepareExpectations(c))
}

// exclusive refuses expectations that Lenient would silently ignore.
func (c HTTPConfig) exclusive() error {
	if c.Lenient && (c.Statuses != "" || c.BodyContains != "" || c.BodyMatches != "" || len(c.JSON) > 0) {
		return errors.New("http check: lenient excludes expected statuses and body conditions")
	}
	return nil
}

// parseURL never cites the URL: it may carry credentials.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("http check: the url is malformed")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("http check: the url's scheme is %q, want http or https", u.Scheme)
	}
	if u.Hostname() == "" || u.Opaque != "" {
		return nil, errors.New("http check: the url has no host")
	}
	return u, nil
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// directly returns the dialer, or one without TCP keep-alive probes: the
// checks themselves notice a dead peer.
func directly(d Dialer) Dialer {
	if d != nil {
		return d
	}
	return (&net.Dialer{KeepAlive: -1}).DialContext
}

func (p *plan) prepareRequest(c HTTPConfig, u *url.URL) error {
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	host := c.Host
	if host == "" {
		host = withoutZone(u.Host)
	}
	if !isToken(method) || method == http.MethodConnect {
		return fmt.Errorf("http check: method %q cannot be sent", method)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' || r == '@' }) {
		return fmt.Errorf("http check: host %q is not a host name", host)
	}
	headers, err := p.headers(c, u)
	if err != nil {
		return err
	}
	p.method = &http.Request{Method: method}
	p.what = method + " " + pathOf(u)
	p.well = p.what + " answered 200"
	p.request = fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, u.RequestURI(), host, headers)
	if u.Scheme == "https" {
		p.tls = tlsFor(c.TLS, host)
	}
	if u.RawQuery != "" {
		p.secrets = append(p.secrets, u.RawQuery)
	}
	return nil
}

func pathOf(u *url.URL) string {
	if u.Path == "" {
		return "/"
	}
	return u.EscapedPath()
}

// withoutZone drops the IPv6 zone, which means nothing to the other side.
func withoutZone(host string) string {
	if i := strings.IndexByte(host, '%'); i >= 0 {
		if j := strings.IndexByte(host[i:], ']'); j >= 0 {
			return host[:i] + host[i+j:]
		}
	}
	return host
}

func tlsFor(c *tls.Config, host string) *tls.Config {
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	} else {
		c = c.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = (&url.URL{Host: host}).Hostname()
	}
	c.NextProtos = []string{"http/1.1"}
	return c
}

// headers returns the header lines and notes their values as secrets.
func (p *plan) headers(c HTTPConfig, u *url.URL) (string, error) {
	all := map[string]string{"User-Agent": "holdfast-health", "Accept": "*/*"}
	if u.User != nil {
		password, _ := u.User.Password()
		all["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
		p.secrets = append(p.secrets, all["Authorization"], password)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if err := checkHeader(name, c.Headers[name]); err != nil {
			return "", err
		}
		all[http.CanonicalHeaderKey(name)] = c.Headers[name]
		p.secrets = append(p.secrets, secretsIn(c.Headers[name])...)
	}
	if c.Method == http.MethodPost || c.Method == http.MethodPut || c.Method == http.MethodPatch {
		all["Content-Length"] = "0"
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.WriteString(name + ": " + all[name] + "\r\n")
	}
	return b.String(), nil
}

// secretsIn returns the header value and its words, for "Bearer TOKEN" may
// come back as TOKEN.
func secretsIn(value string) []string { return append(strings.Fields(value), value) }

// checkHeader refuses what would change the framing of the request. Values
// are not cited.
func checkHeader(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("http check: header name %q is malformed", name)
	}
	switch http.CanonicalHeaderKey(name) {
	case "Host":
		return errors.New("http check: set the host by its own field, not as a header")
	case "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Expect", "Te", "Trailer":
		return fmt.Errorf("http check: header %s is set by the check itself", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return fmt.Errorf("http check: the value of header %s contains a control character", name)
	}
	return nil
}

func isToken(s string) bool {
	const special = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune(special, r)
	})
}

func (p *plan) prepareExpectations(c HTTPConfig) error {
	var err error
	if p.statuses, err = parseStatuses(c.Statuses); err != nil {
		return fmt.Errorf("http check: %w", err)
	}
	if c.BodyMatches != "" {
		if p.matches, err = regexp.Compile(c.BodyMatches); err != nil {
			return fmt.Errorf("http check: body expression: %w", err)
		}
	}
	for _, condition := range p.conditions {
		if err := condition.Validate(); err != nil {
			return fmt.Errorf("http check: %w", err)
		}
		p.paths = append(p.paths, condition.path())
	}
	return nil
}

// statusSet is a list of inclusive ranges.
type statusSet [][2]int

func (s statusSet) has(status int) bool {
	return slices.ContainsFunc(s, func(r [2]int) bool { return r[0] <= status && status <= r[1] })
}

// parseStatuses reads "200-299,404"; "" is 200-399.
func parseStatuses(text string) (statusSet, error) {
	if strings.TrimSpace(text) == "" {
		return statusSet{{200, 399}}, nil
	}
	var set statusSet
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		low, err1 := strconv.Atoi(strings.TrimSpace(from))
		high, err2 := strconv.Atoi(strings.TrimSpace(to))
		if err1 != nil || err2 != nil || low < 100 || high > 599 || low > high {
			return nil, fmt.Errorf("expected statuses %q: %q is not a status from 100 to 599 or a range of them", text, part)
		}
		set = append(set, [2]int{low, high})
	}
	return set, nil
}
