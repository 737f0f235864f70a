package channel

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	answerBytes    = 4 << 10
	// longestLater keeps a receiver from silencing its alerts for days.
	longestLater = time.Hour
)

// Reach says how a channel gets to its receiver. The zero value is good for
// addresses from the configuration file.
type Reach struct {
	// Timeout of one try, from the lookup of the name to the answer; 0: 10 s.
	Timeout time.Duration
	// Dial replaces the ordinary way to connect. Addresses that came from the API
	// need one that refuses what the API may not reach. With it no proxy is asked,
	// because what lies behind a proxy cannot be checked.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// RootCAs are who may have signed the receiver's certificate; nil: the
	// system's.
	RootCAs *x509.CertPool
}

func (r *Reach) timeout() time.Duration {
	if r.Timeout > 0 {
		return r.Timeout
	}
	return defaultTimeout
}

func (r *Reach) tls(host string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.RootCAs, ServerName: host}
}

// caller sends requests to one address. Safe for concurrent use.
type caller struct {
	url       *url.URL
	header    http.Header
	timeout   time.Duration
	transport *http.Transport
	secrets   redactor
}

var errAddress = errors.New("read the address of the receiver: want http:// or https:// and a host")

// newCaller's errors quote nothing of the address.
func newCaller(address string, header map[string]string, r *Reach, secrets ...string) (*caller, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errAddress
	}
	c := &caller{url: u, header: http.Header{}, timeout: r.timeout()}
	for name, value := range header {
		c.header.Set(name, value)
		secrets = append(secrets, strings.Fields(value)...) // without the Bearer before it
	}
	c.secrets = redactorOf(u, secrets)
	c.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: r.Dial, TLSClientConfig: r.tls(""), ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true, // an alert is rare, and an idle connection would need an owner
	}
	if r.Dial != nil {
		c.transport.Proxy = nil
	}
	return c, nil
}

// host is what errors may say about the address.
func (c *caller) host() string { return c.url.Host }

// call makes one request. Header adds to what the caller always sends.
func (c *caller) call(ctx context.Context, method, contentType string, body []byte, header map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: make a request to %s", ErrRefused, c.host()) // the error quotes the URL
	}
	req.Header = c.header.Clone()
	req.Header.Set("User-Agent", "holdfast")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if u := c.url.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	// Not a Client: it would follow redirects, and a redirected POST becomes a GET
	// that is answered with 200 and tells nobody anything.
	answer, err := c.transport.RoundTrip(req)
	if err != nil {
		return c.unreached(err)
	}
	defer answer.Body.Close()
	return c.judge(answer, time.Now())
}

func (c *caller) unreached(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("reach %s: no answer within %v: %w", c.host(), c.timeout, context.DeadlineExceeded)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("reach %s: %w", c.host(), context.Canceled)
	}
	return fmt.Errorf("reach %s: %s", c.host(), c.secrets.redact(err.Error()))
}

// judge turns an answer into an error, or nil.
func (c *caller) judge(answer *http.Response, now time.Time) error {
	status := answer.StatusCode
	if status >= 200 && status <= 299 {
		return nil
	}
	err := fmt.Errorf("%s answers %d%s", c.host(), status, c.said(answer))
	switch {
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		if after, ok := retryAfter(answer.Header.Get("Retry-After"), now); ok {
			return &Later{After: after, Err: err}
		}
		return err
	case status >= 300 && status <= 399:
		return fmt.Errorf("%w: %s answers %d, a redirect, which is not followed%s", ErrRefused, c.host(), status, movedTo(answer))
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// said is what the receiver gives as its reason.
func (c *caller) said(answer *http.Response) string {
	b, _ := io.ReadAll(io.LimitReader(answer.Body, answerBytes)) // half a reason is one too
	text := strings.TrimSpace(oneLine(string(b)))
	if text == "" {
		return ""
	}
	return ": " + c.secrets.redact(text)
}

// movedTo names the host only.
func movedTo(answer *http.Response) string {
	u, err := answer.Location()
	if err != nil {
		return ""
	}
	return "; give the address it leads to, on " + u.Scheme + "://" + shorten(oneLine(u.Host), 253)
}

// retryAfter reads seconds or a date.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	after := time.Duration(-1)
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		after = time.Duration(min(n, int(longestLater/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = max(at.Sub(now), 0)
	}
	return min(after, longestLater), after >= 0
}

// redactor holds what must not be printed, the longest first.
type redactor []string

// redactorOf hides all of an address but scheme and host, and more; also as a
// receiver may write it down that repeats what it was sent.
func redactorOf(u *url.URL, more []string) redactor {
	plain := append([]string{u.String(), u.RequestURI(), u.EscapedPath(), u.RawQuery}, more...)
	for segment := range strings.SplitSeq(u.Path, "/") {
		plain = append(plain, segment)
	}
	for _, values := range u.Query() {
		plain = append(plain, values...)
	}
	if password, ok := u.User.Password(); ok {
		plain = append(plain, password, basic(u.User.Username(), password))
	}
	var r redactor
	for _, s := range plain {
		r = append(r, s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s))
		for _, plain := range []string{strings.Trim(strconv.Quote(s), `"`), jsonOf(s)} {
			r = append(r, plain, strings.ReplaceAll(plain, "/", `\/`))
		}
	}
	slices.SortFunc(r, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	r = slices.Compact(r)
	return slices.DeleteFunc(r, func(s string) bool { return len(s) < shortestSecret })
}

// jsonOf is s as it stands in JSON that may stand in HTML.
func jsonOf(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return s // never: it is a string
	}
	return string(text[1 : len(text)-1])
}

// basic is how user and password go over the wire.
func basic(user, password string) string {
	if user == "" && password == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// together is the first of several errors, which are alike mostly.
func together(all []error) error {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return fmt.Errorf("%w (and %d more like it)", all[0], len(all)-1)
}

const (
	masked = "***"
	// shortestSecret spares ordinary words: /api/v2 is none.
	shortestSecret = 7
	longestReason  = 300
)

// redact makes text fit for a log: one line, bounded, without secrets.
func (r redactor) redact(text string) string {
	for _, secret := range r {
		text = strings.ReplaceAll(text, secret, masked)
	}
	return shorten(oneLine(text), longestReason)
}
